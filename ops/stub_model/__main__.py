"""Serves the stub model on a loopback port: `python -m ops.stub_model --port N`."""

import argparse

import uvicorn

from ops.stub_model.app import build


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ops.stub_model", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(build(), host="127.0.0.1", port=parser.parse_args().port, log_level="warning")


if __name__ == "__main__":
    main()

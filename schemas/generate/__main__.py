"""`python -m schemas.generate`: writes what the protos say; `--release` also gives changed schemas their ids."""

import sys

from schemas.generate import outputs, releases
from schemas.generate.descriptors import ProtocError
from schemas.generate.options import NotInTheLog
from schemas.generate.releases import Incompatible


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--release"]):
        print("usage: python -m schemas.generate [--release]", file=sys.stderr)
        return 2
    try:
        made = outputs.outputs()
        outputs.write(made)
        released = releases.release() if arguments else []
    except (ProtocError, NotInTheLog, Incompatible) as error:
        print(f"not generated: {error}", file=sys.stderr)
        return 1
    print(f"{len(made)} files are what the protos say")
    for line in released:
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m oa_client` is `oa`, for whoever starts it by its interpreter."""

from oa_client.cli import main

main()

"""The serial protocol, host side; docs/protocol.md is the contract."""

"""Starting and finding devices: serial ports, and emulators that have one."""

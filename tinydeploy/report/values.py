"""What can stand in a JSON report."""

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

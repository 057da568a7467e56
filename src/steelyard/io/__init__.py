"""Files: lines, rows, columns and YAML read with checks; folders written whole or not at all."""

"""Voters examined: accuracy, copies, spammers, and which items deserve another label."""

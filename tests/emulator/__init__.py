"""Google Sheets on loopback: the v4 API and the token endpoint, with the faults a test asks for."""

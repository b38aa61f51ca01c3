"""What a session or a comparison shows: numbers, tables, charts and a page. All pure."""

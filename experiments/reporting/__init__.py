"""What `report` is made of: reading runs, drawing charts, writing the page."""

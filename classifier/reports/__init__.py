"""Reports as HTML and PDF: pictures, pages, the process that makes PDF files, and archives of many."""

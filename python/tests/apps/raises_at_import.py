def connect():
    raise ConnectionRefusedError("no database at import")


connect()

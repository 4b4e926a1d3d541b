"""moto's own server, quiet. Runs in moto's own virtual environment; prints READY and its URL."""

from __future__ import annotations

import logging

from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

logging.getLogger("werkzeug").disabled = True
application = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
print(f"READY http://127.0.0.1:{server.port}/", flush=True)
server.serve_forever()

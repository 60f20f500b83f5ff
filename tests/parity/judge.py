"""A server of OpenAI's chat completions that judges everything alike: a rating for MT-Bench, a ranking for AlpacaEval.

judge.py FILE    writes its port to FILE and serves until it is ended
"""

import http.server
import json
import pathlib
import sys

RATING = "A plain answer. Rating: [[7]]"
RANKING = "[{'model': 'model_1', 'rank': 1}, {'model': 'model_2', 'rank': 2}]"


class Judge(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        ranking = "model_1" in asked["messages"][-1]["content"]
        answer = {"choices": [{"index": 0, "finish_reason": "stop",
                               "message": {"role": "assistant", "content": RANKING if ranking else RATING}}],
                  "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Judge)
place = pathlib.Path(sys.argv[1])
place.with_suffix(".new").write_text(str(server.server_port))
place.with_suffix(".new").rename(place)
server.serve_forever()

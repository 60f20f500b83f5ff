"""A server with OpenAI's chat-completions interface for the openai-judge of the tables, and one of vLLM's and llama.cpp's kind for
the generator `remote`, whose tokens are no model's.

The first part of a path names who asks, the second what happens to it: `ok`, `fail` (500 each time), `once` (500 at first),
`slow` (each answer takes a moment), `stall` (no answer for seconds), `vague` (no rating in half of the answers). What was
asked is kept by who asked.
"""
import collections
import http.server
import json
import socket
import threading
import time
import zlib


class Judge:
    def __init__(self, folder=None):
        self.asked = collections.defaultdict(list)
        self.under_way = collections.Counter()
        self.lock = threading.Lock()
        self.waiting = []
        judge = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.say(200, b'{"version": "of the tests"}')

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                _, who, plan, *_ = self.path.split("/")
                with judge.lock:
                    judge.under_way[who] += 1
                    judge.asked[who].append({"path": self.path, "key": self.headers.get("Authorization", ""),
                                             "body": body, "text": json.dumps(body), "at": time.monotonic(),
                                             "at_once": judge.under_way[who]})
                    number = len(judge.asked[who])
                status, answer = judge.answer(plan, body, number)
                with judge.lock:
                    judge.under_way[who] -= 1
                self.say(status, answer)

            def say(self, status, answer):
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    pass  # it did not wait

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def full(self):
        """The address of a door that lets nobody in: its queue is full, so a connection is neither made nor refused."""
        if not self.waiting:
            door = socket.create_server(("127.0.0.1", 0), backlog=0)
            self.waiting = [door]
            for _ in range(3):
                guest = socket.socket()
                guest.setblocking(False)
                guest.connect_ex(door.getsockname())
                self.waiting.append(guest)
        return f"http://127.0.0.1:{self.waiting[0].getsockname()[1]}"

    def address(self, who):
        return f"http://127.0.0.1:{self.server.server_port}/{who}"

    def answer(self, plan, body, number):
        if plan == "fail" or (plan == "once" and number == 1):
            return 500, b'{"error": {"message": "as planned"}}'
        if plan in ("slow", "stall"):
            time.sleep(0.15 if plan == "slow" else 6)
        if "prompt" in body:
            return 200, json.dumps(sampled(body)).encode()
        text = json.dumps(body["messages"])
        chosen = 1 + zlib.crc32(text.encode()) % (2 if "[[1]]" in text else 9)
        said = f"Rating: [[{chosen}]]"
        if "'rank'" in text or '\\"rank\\"' in text:
            said = "[{'model': 'model_1', 'rank': 1}, {'model': 'model_2', 'rank': 2}]"
        if plan == "vague" and number % 2 == 1:
            said = "I would rather not say."
        return 200, json.dumps({"choices": [{"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}],
                                "usage": {"prompt_tokens": 7, "completion_tokens": 5}}).encode()


def sampled(body):
    """An answer as long as it may be: of vLLM's kind, or of llama.cpp's where the length has its name for it."""
    length = body.get("max_tokens", body.get("n_predict"))
    ids = [100 + (body["seed"] + i) % 100 for i in range(length)]
    if "n_predict" in body:
        return {"tokens": ids, "stop_type": "limit", "tokens_evaluated": len(body["prompt"])}
    return {"choices": [{"token_ids": ids, "prompt_token_ids": body["prompt"], "finish_reason": "length"}]}

"""Load of `rerec serve-reward` on loopback: requests a second and how long they take, with clients in threads of this process.

    python benches/load_reward_server.py path/to/rerec [--connections N] [--seconds S] [--bytes B]

The clients share the machine with the server, and cost more than it does: what is printed is a lower bound.
"""

import argparse
import json
import socket
import subprocess
import threading
import time


def body(size: int) -> bytes:
    """A request of slime: a response of so many bytes with its label and 20 candidates."""
    films = [f"The Film of Number {number} (1995)" for number in range(20)]
    response = "A film that may fit. " * (size // 21) + f"\n\\boxed{{{films[3]}}}"
    label = {"ground_truth": films[:1], "candidates": films}
    return json.dumps({"prompt": "?", "response": response, "label": label}).encode()


def client(address: tuple[str, int], request: bytes, until: float, times: list[float], failures: list[bytes]) -> None:
    """Asks again and again on one connection."""
    with socket.create_connection(address) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (began := time.perf_counter()) < until:
            stream.sendall(request)
            answer = stream.recv(65536)
            times.append(time.perf_counter() - began)
            if not answer.startswith(b"HTTP/1.1 200"):
                failures.append(answer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rerec")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--bytes", type=int, default=2000)
    given = parser.parse_args()
    command = [given.rerec, "serve-reward", "--address", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        host, port = server.stderr.readline().strip().rsplit("http://", 1)[1].split(":")
        content = body(given.bytes)
        head = f"POST /slime HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(content)}\r\n\r\n"
        times: list[float] = []
        failures: list[bytes] = []
        until = time.perf_counter() + given.seconds
        arguments = ((host, int(port)), head.encode() + content, until, times, failures)
        clients = [threading.Thread(target=client, args=arguments) for _ in range(given.connections)]
        began = time.perf_counter()
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        seconds = time.perf_counter() - began
        server.terminate()
        status = server.wait()
    times.sort()
    median, last = (1000 * times[int(share * (len(times) - 1))] for share in (0.5, 0.99))
    print(
        f"{given.connections} connections, {len(content)} bytes a request: {len(times) / seconds:.0f} requests a second, "
        f"median {median:.2f} ms, p99 {last:.2f} ms, {len(failures)} refused, ended with status {status}"
    )


if __name__ == "__main__":
    main()

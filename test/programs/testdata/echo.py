"""Echoes in capitals over TCP, UDP and AF_UNIX, by asyncio: `echo.py PORT`.

`echo.py ask PORT` asks over all three.
"""
import asyncio
import os
import socket
import sys

PATH = os.environ["HOME"] + "/echo.sock"
PORT = int(sys.argv[-1])


class Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(data.upper(), address)


async def stream(reader, writer):
    writer.write((await reader.readline()).upper())
    await writer.drain()
    writer.close()


async def serve():
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", PORT))
    servers = [
        await asyncio.start_unix_server(stream, PATH),
        await asyncio.start_server(stream, "127.0.0.1", PORT),
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


def ask():
    answers = []
    for name, kind, family, address in (
        ("TCP", socket.SOCK_STREAM, socket.AF_INET, ("127.0.0.1", PORT)),
        ("UDP", socket.SOCK_DGRAM, socket.AF_INET, ("127.0.0.1", PORT)),
        ("AF_UNIX", socket.SOCK_STREAM, socket.AF_UNIX, PATH),
    ):
        with socket.socket(family, kind) as client:
            client.settimeout(5)
            client.connect(address)
            client.sendall(b"ping\n")
            answers.append(f"{client.recv(100).decode().strip()} over {name}")
    print(", ".join(answers))


if sys.argv[1] == "ask":
    ask()
else:
    asyncio.run(serve())

# A real SMTP server for the tests: prints its port, then what it takes; ends with its standard input.
import asyncio
import sys

from aiosmtpd.smtp import SMTP


class Handler:
    async def handle_DATA(self, server, session, envelope):
        print("rcpt:", ",".join(envelope.rcpt_tos))
        print(envelope.content.decode("utf-8", "replace").replace("\r\n", "\n"), flush=True)
        return "250 taken"


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler(), hostname="localhost"), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())

"""The peer of channel_test.go: another process, in another language.

It holds the other end of the channel as descriptor 3 and answers each message:

    ("echo", ...)       ("echoed", ...) with the descriptors that came with it
    ("write", bytes)    writes bytes to the descriptor that came; ("wrote", n)
    ("leave",)          exits at once, without reading what else was sent

End of file is the order to leave.
"""

import array
import marshal
import os
import socket

FDS = 64


def main():
    channel = socket.socket(fileno=3)
    while True:
        data, control, flags, _ = channel.recvmsg(1 << 17, socket.CMSG_SPACE(4 * FDS), socket.MSG_CMSG_CLOEXEC)
        if not data:
            return
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise OSError("cut: flags %#x" % flags)
        fds = array.array("i")
        for level, kind, content in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(content)
        message = marshal.loads(data)
        if message[0] == "echo":
            beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
            channel.sendmsg([marshal.dumps(("echoed",) + message[1:])], beside)
        elif message[0] == "write":
            channel.send(marshal.dumps(("wrote", os.write(fds[0], message[1]))))
        elif message[0] == "leave":
            os._exit(0)
        for fd in fds:
            os.close(fd)


main()

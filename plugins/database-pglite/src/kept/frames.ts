import type { Socket } from 'node:net';

const lengthBytes = 4;

/** Sends `body` as one frame: its length, then its bytes. */
export function sendFrame(socket: Socket, body: Uint8Array): void {
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(body.byteLength);
  socket.cork();
  socket.write(length);
  socket.write(body);
  socket.uncork();
}

/** Calls `onFrame` with the body of each frame that arrives. */
export function receiveFrames(socket: Socket, onFrame: (body: Uint8Array) => void): void {
  let parts: Buffer[] = [];
  let received = 0;
  let expected: number | undefined;
  socket.on('data', (part: Buffer) => {
    parts.push(part);
    received += part.byteLength;
    for (;;) {
      const wanted = expected ?? lengthBytes;
      if (received < wanted) return;
      const all = Buffer.concat(parts, received);
      const body = all.subarray(0, wanted);
      parts = [all.subarray(wanted)];
      received -= wanted;
      if (expected === undefined) {
        expected = body.readUInt32BE();
      } else {
        expected = undefined;
        onFrame(body);
      }
    }
  });
}

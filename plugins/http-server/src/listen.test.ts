import { Server } from 'node:http';
import { expect, test } from 'vitest';
import { listen } from './listen.js';

/** Who runs the tests may be privileged, and some systems let everybody have every port: so the refusal is acted. */
class ForbiddenServer extends Server {
  override listen(): this {
    process.nextTick(() => this.emit('error', Object.assign(new Error('listen EACCES'), { code: 'EACCES' })));
    return this;
  }
}

test('a port that is not for this user fails with what to do: HTTP_PORT_FORBIDDEN', async () => {
  await expect(listen(new ForbiddenServer(), { port: 80, host: '127.0.0.1' })).rejects.toMatchObject({
    code: 'HTTP_PORT_FORBIDDEN',
    message: 'This user may not listen on port 80.',
    hint: expect.stringContaining('higher'),
    facts: { port: 80, errno: 'EACCES' },
  });
});

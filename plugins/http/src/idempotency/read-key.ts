import type { IncomingMessage } from 'node:http';
import { KeelsonError } from '@keelson/core';

/** A text in quotes with nothing to escape, as the draft has it; many clients leave the quotes out. */
const form = /^(?:"([\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]{1,255}))$/;

/**
 * Returns the key of a request (draft-ietf-httpapi-idempotency-key-header, section 2.1); undefined when there is none.
 *
 * @throws KeelsonError HTTP_IDEMPOTENCY_KEY_INVALID for a header that is no key, or is missing where it is required.
 */
export function readKey({ headersDistinct }: IncomingMessage, required: boolean): string | undefined {
  const values = headersDistinct['idempotency-key'];
  if (values === undefined) {
    if (required)
      throw keyInvalid(
        'This request needs the header Idempotency-Key, with a unique text for each operation, such as a UUID.',
      );
    return undefined;
  }
  const [, quoted, bare] = form.exec(values.join(',').trim()) ?? [];
  const key = quoted ?? bare;
  if (key === undefined)
    throw keyInvalid('Idempotency-Key must be one text of 1 to 255 visible characters, such as a UUID.');
  return key;
}

function keyInvalid(detail: string): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_IDEMPOTENCY_KEY_INVALID',
    message: 'A request has no valid Idempotency-Key.',
    http: { status: 400, title: 'Bad Request', detail },
  });
}

/**
 * What a commit leaves for later reads: how far a replica must have come to show it. Text that passes through clients, so
 * whatever comes back is looked at as if it were anybody's.
 */
const longest = 200;
const positionText = /^[\x21-\x7e]+$/;

/** Read by no replica: the primary answers. For a commit of which only the outcome is known. */
const anywhere = 'primary';

/** `position` is the driver's own; undefined when the server has not said it. */
export function consistencyTokenOf(position: string | undefined): string {
  return Buffer.from(position ?? anywhere).toString('base64url');
}

/** The position in a token; undefined for one that no replica can be held to, so that the primary has to answer. */
export function positionIn(token: string): string | undefined {
  if (token.length > longest) return undefined;
  const position = Buffer.from(token, 'base64url').toString('latin1');
  return positionText.test(position) && position !== anywhere ? position : undefined;
}

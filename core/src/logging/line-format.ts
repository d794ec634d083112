import type { Writable } from 'node:stream';

export type LineFormatName = 'json' | 'pretty';

export interface LineFormat {
  readonly pretty: boolean;
  readonly colour: boolean;
}

/** As configured; left out, pretty on a terminal and json elsewhere. Colour is for terminals, without NO_COLOR. */
export function lineFormatOf(configured: LineFormatName | undefined, stream: Writable): LineFormat {
  const terminal = 'isTTY' in stream && stream.isTTY === true;
  const pretty = configured === undefined ? terminal : configured === 'pretty';
  return { pretty, colour: terminal && (process.env.NO_COLOR ?? '') === '' };
}

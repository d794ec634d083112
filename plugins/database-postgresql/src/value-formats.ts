import type pg from 'pg';
import { latestOf, takeForFresh } from './reported-parameters.js';

/** How the server is to write values so that they are read as what they are, and how it says that it does. */
const formats: readonly (readonly [setting: string, value: string, fits: RegExp])[] = [
  ['DateStyle', 'ISO', /^ISO\b/i],
  ['IntervalStyle', 'postgres', /^postgres$/i],
  ['standard_conforming_strings', 'on', /^on$/i],
];

/**
 * A database or a role may have other formats: with `DateStyle` of `SQL, DMY`, the 3rd of February would be read as the 2nd of
 * March. The server reports its formats by itself, so this costs a round trip only where it has others.
 */
export async function readableValues(client: pg.Client): Promise<void> {
  const others = formats.filter(([setting, , fits]) => {
    const reported = latestOf(client, setting);
    return reported !== undefined && !fits.test(reported);
  });
  if (others.length === 0) return;
  await client.query(others.map(([setting, value]) => `set ${setting} = '${value}'`).join('; '));
  takeForFresh(client);
}

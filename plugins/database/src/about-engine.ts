import type { Diagnosis } from '@keelson/core';
import { databaseCapabilities, type Engine } from './driver/engine.js';

/** What a service talks to, and which promise is weaker for it: for operators. */
export function aboutEngine({ product, version, pooler, pooling, capabilities, weaker }: Engine): Diagnosis {
  const name = version === '' ? product : `${product} ${version}`;
  const through = pooler === undefined ? '' : ` through a pooler (${pooler}, by ${pooling ?? 'unknown'})`;
  if (weaker.length === 0) {
    const lacks = databaseCapabilities.filter(capability => !capabilities.has(capability)).join(', ');
    const output = lacks === '' ? 'with everything that Keelson uses' : `whose driver has no ${lacks}`;
    return { name: 'engine', status: 'pass', output: `${name}${through}, ${output}.` };
  }
  const promises = weaker.map(({ promise, why }) => `${promise.replace(/\.$/, '')} (${why}).`);
  return {
    name: 'engine',
    status: 'warn',
    output: `${name}${through}. ${promises.join(' ')}`,
    hint: 'Check that the service works with these limits, or state the features of the database in database.engine.',
  };
}

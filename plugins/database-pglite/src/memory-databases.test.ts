import { expect, test } from 'vitest';
import { createInMemory } from './memory-databases.js';

test('every database in memory is empty, alone, and usable, also those that are copies', {
  timeout: 120_000,
}, async () => {
  for (let number = 1; number <= 3; number += 1) {
    const pglite = await createInMemory();
    await pglite.exec(`create table of_one (number integer); insert into of_one values (${number})`);
    expect((await pglite.query('select number from of_one')).rows).toEqual([{ number }]);
    await pglite.close();
  }
});

test('two at the same time do not see each other', { timeout: 120_000 }, async () => {
  const [one, other] = await Promise.all([createInMemory(), createInMemory()]);
  await one.exec('create table of_one (number integer)');
  await expect(other.query('select number from of_one')).rejects.toThrow('does not exist');
  await Promise.all([one.close(), other.close()]);
});

import { PostgreSqlPlatform } from '@mikro-orm/postgresql';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { DateTexts } from './date-texts.js';

const zones = ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Asia/Kathmandu', 'Africa/Monrovia', 'Pacific/Apia'];
const { TZ: zoneOfProcess } = process.env;

afterEach(() => {
  if (zoneOfProcess === undefined) delete process.env.TZ;
  else process.env.TZ = zoneOfProcess;
});

const platform = new PostgreSqlPlatform();
const byMikroOrm = (date: Date) => String(platform.quoteValue(date)).slice(1, -1);

describe.for(zones)('a date in %s', zone => {
  test('is written as MikroORM writes it', () => {
    process.env.TZ = zone;
    const dates = new DateTexts(platform);
    const early = { min: new Date(-60_000_000_000_000), max: new Date(400_000_000_000_000), noInvalidDate: true };
    const recent = {
      min: new Date('1971-12-01T00:00:00Z'),
      max: new Date('2040-01-01T00:00:00Z'),
      noInvalidDate: true,
    };
    const anyDate = fc.oneof(fc.date(early), fc.date(recent), fc.date(recent));
    fc.assert(
      fc.property(fc.array(anyDate, { minLength: 2, maxLength: 20 }), given => {
        for (const date of given) expect(dates.textOf(date)).toBe(byMikroOrm(date));
      }),
      { numRuns: 300 },
    );
  });

  test('is written so on both sides of each midnight and each change of the clock', () => {
    process.env.TZ = zone;
    const dates = new DateTexts(platform);
    const end = Date.UTC(2013);
    for (let hour = Date.UTC(2011, 11, 1); hour < end; hour += 3_600_000) {
      for (const ms of [hour - 1, hour, hour + 1]) {
        const date = new Date(ms);
        if (dates.textOf(date) !== byMikroOrm(date)) expect(dates.textOf(date)).toBe(byMikroOrm(date));
      }
    }
  });
});

test('dates are written as MikroORM writes them, whatever zone it is set to', () => {
  const quoted = (date: Date) => `'${date.toISOString()}'`;
  const dates = new DateTexts({ quoteValue: quoted });
  process.env.TZ = 'Asia/Kathmandu';
  for (const ms of [0, 1_800_000_000_000, 1_800_000_000_001, 1_800_086_400_000]) {
    expect(dates.textOf(new Date(ms))).toBe(new Date(ms).toISOString());
  }
});

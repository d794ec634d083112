import type { Platform } from '@mikro-orm/core';

/** Zones are whole minutes from UTC, and years have four digits. */
const ordinary = { fromMs: Date.UTC(1973), untilMs: Date.UTC(9999) };
const msPerMinute = 60_000;
const msPerHour = 60 * msPerMinute;
const msPerDay = 24 * msPerHour;

const digits = (length: number, count: number) =>
  Array.from({ length }, (_, number) => String(number).padStart(count, '0'));
const two = digits(60, 2);
const three = digits(1_000, 3);

/**
 * Writes dates as MikroORM does, in a tenth of the time: in local time, with the zone. What follows the local time is the
 * same for all dates of one offset, so it is taken from what MikroORM writes for the first of them.
 */
export class DateTexts {
  readonly #platform: Pick<Platform, 'quoteValue'>;
  /** By the offset in minutes; undefined where MikroORM writes something else. */
  readonly #zones = new Map<number, string | undefined>();
  #day = Number.NaN;
  #dayText = '';

  constructor(platform: Pick<Platform, 'quoteValue'>) {
    this.#platform = platform;
  }

  textOf(date: Date): string {
    const ms = date.getTime();
    if (!(ms >= ordinary.fromMs && ms < ordinary.untilMs)) return this.#fullText(date);
    const offset = date.getTimezoneOffset();
    const local = this.#localText(ms - offset * msPerMinute);
    const zone = this.#zones.get(offset);
    if (zone !== undefined) return local + zone;
    const text = this.#fullText(date);
    if (!this.#zones.has(offset))
      this.#zones.set(offset, text.startsWith(local) ? text.slice(local.length) : undefined);
    return text;
  }

  /** As `toISOString` does for UTC, without the `Z`. */
  #localText(ms: number): string {
    const day = Math.floor(ms / msPerDay);
    if (day !== this.#day) {
      this.#day = day;
      this.#dayText = new Date(ms).toISOString().slice(0, 'yyyy-mm-ddT'.length);
    }
    const inDay = ms - day * msPerDay;
    const hour = Math.floor(inDay / msPerHour);
    const minute = Math.floor((inDay % msPerHour) / msPerMinute);
    const second = Math.floor((inDay % msPerMinute) / 1_000);
    return `${this.#dayText}${two[hour]}:${two[minute]}:${two[second]}.${three[inDay % 1_000]}`;
  }

  #fullText(date: Date): string {
    return String(this.#platform.quoteValue(date)).slice(1, -1);
  }
}

import type { Facts, Logger, LogLevel } from '@keelson/core';
import type { World } from '../world/world.ts';

/** Puts what a service logs into the story. */
export class StoryLogger implements Logger {
  readonly #world: World;
  readonly #name: string;

  constructor(world: World, name: string) {
    this.#world = world;
    this.#name = name;
  }

  trace(): void {}
  debug(): void {}

  info(message: string, facts?: Facts): void {
    this.#note(message, facts);
  }
  warn(message: string, facts?: Facts): void {
    this.#note(message, facts);
  }
  error(message: string, facts?: Facts): void {
    this.#note(message, facts);
  }
  fatal(message: string, facts?: Facts): void {
    this.#note(message, facts);
  }

  isEnabled(level: LogLevel): boolean {
    return level !== 'trace' && level !== 'debug';
  }

  child(): Logger {
    return this;
  }

  async flush(): Promise<void> {}

  #note(message: string, facts: Facts = {}): void {
    this.#world.reach(`log: ${message}`);
    const said = Object.entries(facts).flatMap(([name, value]) => {
      if (value instanceof Error) return [`${name}: ${value.message}`];
      const isPlain = typeof value === 'string' || typeof value === 'number';
      return isPlain && !(typeof value === 'string' && value.includes('\n')) ? [`${name}: ${value}`] : [];
    });
    this.#world.note(`${this.#name} logs: ${message}${said.length > 0 ? ` (${said.join(', ')})` : ''}`);
  }
}

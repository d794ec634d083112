import { type CorrelationContext, currentContext } from '../contract/context.js';
import type { Facts } from '../contract/keelson-error.js';
import { type Logger, type LogLevel, logLevels } from '../contract/slots/logger.js';

/** A line as it was written: the facts of every parent and its own, later ones winning. */
export interface RecordedLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly facts: Facts;
  readonly context: CorrelationContext;
}

/** A text the message contains, a pattern it matches, or a question to ask of the line. */
export type LineQuery = string | RegExp | ((line: RecordedLine) => boolean);

/** A logger that keeps its lines. Its children write into the same record. */
export class RecordingLogger implements Logger {
  readonly trace = this.#writer('trace');
  readonly debug = this.#writer('debug');
  readonly info = this.#writer('info');
  readonly warn = this.#writer('warn');
  readonly error = this.#writer('error');
  readonly fatal = this.#writer('fatal');
  readonly #lowest: LogLevel;
  #record: RecordedLine[] = [];
  #facts: Facts = {};

  /** Records lines of `level` and above. Default: all. */
  constructor(level: LogLevel = 'trace') {
    this.#lowest = level;
  }

  /** The lines so far, in order; with `level`, only those of exactly that level. */
  lines(level?: LogLevel): readonly RecordedLine[] {
    return this.#record.filter(line => level === undefined || line.level === level);
  }

  /** The first line that answers `query`. */
  find(query: LineQuery): RecordedLine | undefined {
    return this.#record.find(line => answers(line, query));
  }

  /** Every line that answers `query`. */
  findAll(query: LineQuery): readonly RecordedLine[] {
    return this.#record.filter(line => answers(line, query));
  }

  /** Forgets the lines so far, those of its children included. */
  clear(): void {
    this.#record.length = 0;
  }

  isEnabled(level: LogLevel): boolean {
    return logLevels.indexOf(level) >= logLevels.indexOf(this.#lowest);
  }

  child(facts: Facts): RecordingLogger {
    const child = new RecordingLogger(this.#lowest);
    child.#record = this.#record;
    child.#facts = merge(this.#facts, facts);
    return child;
  }

  async flush(): Promise<void> {}

  #writer(level: LogLevel): (message: string, facts?: Facts) => void {
    return (message, facts = {}) => {
      if (!this.isEnabled(level)) return;
      this.#record.push({ level, message, facts: merge(this.#facts, facts), context: currentContext() });
    };
  }
}

function answers(line: RecordedLine, query: LineQuery): boolean {
  if (typeof query === 'string') return line.message.includes(query);
  return query instanceof RegExp ? query.test(line.message) : query(line);
}

/** A spread would let a getter of the caller throw out of a log call. */
function merge(inherited: Facts, own: Facts): Facts {
  const merged: Record<string, unknown> = { ...inherited };
  for (const key of Object.keys(own)) {
    try {
      merged[key] = own[key];
    } catch {
      merged[key] = '[Throws]';
    }
  }
  return merged;
}

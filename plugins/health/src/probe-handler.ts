import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CheckReport, HealthReport, HealthService, HttpHandler, HttpServer, ProbeKind } from '@keelson/core';
import { healthDocument, verboseText } from './health-document.js';
import type { HealthDetails, HealthOptions } from './options.js';
import { overallStatus } from './overall-status.js';

/** The path of each probe; the names of the Kubernetes API server. */
const probePaths: Record<ProbeKind, string> = { live: '/livez', ready: '/readyz', startup: '/startupz' };
const probeKinds: readonly ProbeKind[] = ['live', 'ready', 'startup'];

/**
 * Mounts the probes without a session, so that they answer at any time: on the port of the API the status alone, and on the
 * admin port the details. Without an admin port, the port of the API says what the configuration asks for.
 */
export function mountProbes(http: HttpServer, health: HealthService, options: HealthOptions): void {
  const { details } = options;
  const hasAdminPort = http.hasAdminPort === true;
  for (const kind of probeKinds) {
    const mount = (shown: HealthDetails, admin: boolean) =>
      http.router(probePaths[kind], probeHandler(kind, health, options, shown), { session: 'none', admin });
    if (hasAdminPort) mount('none', false);
    mount(details ?? (hasAdminPort ? 'checks' : 'none'), true);
  }
}

/**
 * Answers GET and HEAD of one probe, and of its groups: 200 for `pass` and `warn`, 503 for `fail`. `?verbose` gives a text
 * list, `?exclude=name` (repeatable) ignores checks for the verdict. Any other request is passed on.
 */
function probeHandler(
  kind: ProbeKind,
  health: HealthService,
  { groups, releaseId }: HealthOptions,
  details: HealthDetails,
): HttpHandler {
  return (request: IncomingMessage, response: ServerResponse, next: () => void) => {
    const [path = '', query] = (request.url ?? '').split('?', 2);
    if (request.method !== 'GET' && request.method !== 'HEAD') return next();
    const name = path.length > 1 ? path.slice(1) : undefined;
    const group = name !== undefined && Object.hasOwn(groups, name) ? groups[name] : undefined;
    if (name !== undefined && (kind !== 'ready' || group === undefined)) return next();
    const parameters = new URLSearchParams(query);
    const view = exclude(health.report(kind, name), new Set(parameters.getAll('exclude')));
    const { excluded, notes } = view;
    const report = group?.degraded === 'fail' ? failedWhenDegraded(view.report) : view.report;
    const verbose = parameters.has('verbose');
    const body = verbose
      ? verboseText(probePaths[kind].slice(1) + (path.length > 1 ? path : ''), report, excluded, notes, details)
      : JSON.stringify(healthDocument(report, notes, { details, releaseId }));
    response.writeHead(report.status === 'fail' ? 503 : 200, {
      'Content-Type': verbose ? 'text/plain; charset=utf-8' : 'application/health+json',
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
}

function failedWhenDegraded(report: HealthReport): HealthReport {
  return report.status === 'warn' ? { ...report, status: 'fail' } : report;
}

interface View {
  readonly report: HealthReport;
  readonly excluded: readonly CheckReport[];
  readonly notes: readonly string[];
}

/** The lifecycle always counts: a stopping service is not ready, whatever a caller excludes. */
function exclude(report: HealthReport, names: ReadonlySet<string>): View {
  if (names.size === 0) return { report, excluded: [], notes: [] };
  const isExcluded = (check: CheckReport) => check.name !== 'lifecycle' && names.has(check.name);
  const excluded = report.checks.filter(isExcluded);
  const checks = report.checks.filter(check => !isExcluded(check));
  const unmatched = names.size - excluded.length;
  // The names come from the caller and are not repeated.
  const notes = unmatched === 0 ? [] : [`${unmatched} of the names in ?exclude= could not be excluded`];
  return { report: { status: overallStatus(checks), checks }, excluded, notes };
}

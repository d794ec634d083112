import type { z } from 'zod';
import { looksSecret } from '../secrets/looks-secret.js';
import { showValue } from '../secrets/show-value.js';
import { unitHint } from './coerce.js';
import { nearest } from './nearest.js';
import { type ConfigNode, closest, type MapNode } from './node.js';
import { joinPath } from './place.js';
import { isReported, type Problem } from './problem.js';
import type { Shape, ShapeReader } from './shape.js';

interface IssueContext {
  readonly node: MapNode;
  readonly path: string;
  readonly variable: (path: readonly PropertyKey[]) => string;
  /** The problems found so far. */
  readonly reported: readonly Problem[];
  readonly reader: ShapeReader;
}

/** Returns the issues of a schema in words for the author of the configuration, each issue once. */
export function issueProblems(issues: readonly z.core.$ZodIssue[], context: IssueContext): Problem[] {
  return issues
    .filter(issue => !isReported(pathOf(issue, context), context.reported))
    .map(issue => (isMissing(issue, context) ? missing(issue, context) : invalid(issue, context)));
}

function pathOf(issue: z.core.$ZodIssue, context: IssueContext): string {
  return joinPath(context.path, ...issue.path);
}

function isMissing(issue: z.core.$ZodIssue, context: IssueContext): boolean {
  const parent = closest(context.node, issue.path.slice(0, -1));
  const key = issue.path.at(-1);
  return key !== undefined && parent.kind === 'map' && !parent.entries.has(String(key)) && issue.code !== 'custom';
}

function missing(issue: z.core.$ZodIssue, context: IssueContext): Problem {
  const shape = shapeAt(issue.path, context);
  const path = pathOf(issue, context);
  return {
    code: 'CONFIG_VALUE_MISSING',
    message:
      `${path} is missing${shape.description === undefined ? '' : `: ${lowerFirst(shape.description)}`}.`.replace(
        /\.\.$/,
        '.',
      ),
    path,
    origin: closest(context.node, issue.path).origin,
    ...allowed(shape, issue, context),
    action: `Add it to the file, or set ${context.variable(issue.path)}.`,
  };
}

function invalid(issue: z.core.$ZodIssue, context: IssueContext): Problem {
  const shape = shapeAt(issue.path, context);
  const path = pathOf(issue, context);
  const node = closest(context.node, issue.path);
  const value = showValue(node.kind === 'scalar' ? node.value : undefined, isSecret(node, shape, issue, context));
  const options = shape.enum?.map(String) ?? [];
  const meant = node.kind === 'scalar' && typeof node.value === 'string' ? nearest(node.value, options) : undefined;
  return {
    code: 'CONFIG_VALUE_INVALID',
    message: `${path} ${fault(node, value, issue)}${ownWords(issue)}${sourceOf(node)}`,
    path,
    origin: node.origin,
    ...(node.kind === 'scalar' && { value }),
    ...allowed(shape, issue, context),
    ...(meant !== undefined && { nearest: meant }),
    action: meant === undefined ? 'Set an allowed value.' : `Write ${meant}.`,
  };
}

function fault(node: ConfigNode, value: string, issue: z.core.$ZodIssue): string {
  if (node.kind === 'scalar') return `cannot be ${value}`;
  if (issue.code !== 'invalid_type') return 'is not valid';
  return node.kind === 'list' ? 'is a list' : 'is a map of keys';
}

/** Its place is that of the reference; what is wrong stands elsewhere. */
function sourceOf(node: ConfigNode): string {
  const [first, ...others] = (node.kind === 'scalar' && node.filledFrom) || [];
  if (first === undefined) return '';
  return ` It comes from the variable${others.length === 0 ? '' : 's'} ${[first, ...others].join(', ')}.`;
}

/** What a rule of the plugin says itself: the end of the sentence, or a sentence of its own. */
function ownWords({ code, message }: z.core.$ZodIssue): string {
  if (code !== 'custom') return '.';
  const begin = /^\p{Lu}/u.test(message) ? '. ' : ': ';
  return `${begin}${message}${/[.!?]$/.test(message) ? '' : '.'}`;
}

function allowed(shape: Shape, issue: z.core.$ZodIssue, context: IssueContext): { allowed?: string } {
  const words = context.reader.describe(shape);
  if (issue.code === 'invalid_format' && !issue.message.startsWith('Invalid'))
    return { allowed: lowerFirst(issue.message) };
  if (words === undefined) return issue.code === 'custom' ? {} : { allowed: lowerFirst(issue.message) };
  return { allowed: words + unitHint(String(issue.path.at(-1) ?? '')) };
}

function shapeAt(path: readonly PropertyKey[], { reader }: IssueContext): Shape {
  let shape: Shape = reader.root;
  for (const step of path) {
    shape = typeof step === 'number' ? reader.item(shape, step) : reader.property(shape, String(step));
  }
  return shape;
}

function isSecret(node: ConfigNode, shape: Shape, issue: z.core.$ZodIssue, context: IssueContext): boolean {
  if (node.kind === 'scalar' && node.secret === true) return true;
  return context.reader.isSecret(shape) || issue.path.some(step => looksSecret(String(step)));
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, '');
}

import { entryKeys } from '../config/settings.js';
import { shapeOf } from '../config/shape.js';
import type { Plugin, StartedPlugin } from '../contract/plugin.js';
import type { Slot } from '../contract/slot.js';
import { slotNamed } from './slots.js';

const hooks = ['check', 'instrument', 'register', 'start', 'conformance'] as const;
const startedHooks = ['ready', 'reconfigure', 'diagnose', 'inspect', 'drain', 'stop'] as const;
const lists = ['provides', 'decorates', 'requires', 'optional', 'perSession', 'capabilities', 'slots'] as const;
const timeouts = ['startTimeoutMs', 'stopTimeoutMs'] as const;

/** What keeps `value` from being a manifest or a plugin, in words; empty when nothing does. */
export function checkManifest(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [`its default export is ${describe(value)}, not a plugin`];
  const plugin = value as Partial<Plugin>;
  const faults: string[] = [];
  if (typeof plugin.name !== 'string' || plugin.name === '') faults.push('it has no name');
  if (plugin.slot !== undefined && typeof plugin.slot !== 'string') faults.push('its slot is not a text');
  for (const hook of hooks) {
    if (plugin[hook] !== undefined && typeof plugin[hook] !== 'function') faults.push(`its ${hook} is not a function`);
  }
  for (const list of lists) {
    const given: unknown = plugin[list];
    if (given !== undefined && !Array.isArray(given)) faults.push(`its ${list} is not a list`);
    else if (Array.isArray(given) && given.includes(undefined))
      faults.push(`its ${list} holds undefined (a circular import?)`);
  }
  for (const timeout of timeouts) {
    const given: unknown = plugin[timeout];
    if (given !== undefined && !(typeof given === 'number' && given > 0))
      faults.push(`its ${timeout} is not a number above 0`);
  }
  if (plugin.diagnoses !== undefined && typeof plugin.diagnoses !== 'boolean')
    faults.push('its diagnoses is neither true nor false');
  if (plugin.config !== undefined) faults.push(...schemaFaults(plugin.config));
  if (Array.isArray(plugin.slots)) faults.push(...plugin.slots.flatMap(slotFaults));
  if (plugin.commands !== undefined) faults.push(...commandFaults(plugin.commands));
  return [...faults, ...misplaced(plugin)];
}

/** Hooks of a running plugin on the plugin itself, where the kernel would not call them. */
function misplaced(plugin: Partial<Plugin & StartedPlugin>): string[] {
  return [...startedHooks, 'operations' as const]
    .filter(name => plugin[name] !== undefined)
    .map(name => `its ${name} must be in the object that its start returns`);
}

/** What keeps the object that a `start` returned from being a running plugin, in words. */
export function startedFaults(started: StartedPlugin, diagnoses: boolean): string[] {
  const faults = startedHooks
    .filter(hook => started[hook] !== undefined && typeof started[hook] !== 'function')
    .map(hook => `its ${hook} is not a function`);
  if (started.operations !== undefined) faults.push(...operationFaults(started.operations));
  if (started.diagnose !== undefined && !diagnoses)
    faults.push('its start returns diagnose, but its manifest does not have `diagnoses: true`');
  return faults;
}

function schemaFaults(schema: NonNullable<Plugin['config']>): string[] {
  if (typeof schema !== 'object' || typeof schema.safeParseAsync !== 'function')
    return ['its config is not a zod schema'];
  const reserved = Object.keys(shapeOf(schema).properties ?? {}).filter(key => entryKeys.includes(key));
  return reserved.map(key => `its config has the key ${key}, which the kernel reads`);
}

function slotFaults(slot: Slot | undefined): string[] {
  if (slot === undefined) return [];
  const sound = typeof slot.name === 'string' && slot.token !== undefined;
  const known = slotNamed(slot.name);
  if (known !== undefined && known.token !== slot.token)
    return [`it defines the slot ${slot.name}, which @keelson/core already defines`];
  const { silentDefault } = slot;
  const fits =
    silentDefault === undefined || (typeof silentDefault.create === 'function' && silentDefault.name !== undefined);
  return sound && fits ? [] : ['its slots are not made with defineSlot'];
}

function commandFaults(commands: NonNullable<Plugin['commands']>): string[] {
  if (typeof commands !== 'object' || commands === null) return ['its commands are not a map'];
  return Object.entries(commands).flatMap(([name, command]) => {
    const sound =
      typeof command?.load === 'function' &&
      typeof command.description === 'string' &&
      typeof command.arguments?.safeParseAsync === 'function';
    return sound ? [] : [`its command ${name} needs \`description\`, \`arguments\` (a zod schema) and \`load\``];
  });
}

function operationFaults(operations: NonNullable<StartedPlugin['operations']>): string[] {
  if (typeof operations !== 'object' || operations === null) return ['its operations are not a map'];
  return Object.entries(operations).flatMap(([name, operation]) => {
    const sound =
      typeof operation?.run === 'function' &&
      typeof operation.description === 'string' &&
      typeof operation.arguments?.safeParseAsync === 'function';
    return sound ? [] : [`its operation ${name} needs \`description\`, \`arguments\` (a zod schema) and \`run\``];
  });
}

function describe(value: unknown): string {
  return value === undefined ? 'missing' : `a ${value === null ? 'null' : typeof value}`;
}

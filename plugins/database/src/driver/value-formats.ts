/** The settings with which the server reads and writes values correctly: name, value to set, and reported values that fit. */
export const valueFormats: readonly (readonly [setting: string, value: string, fits: RegExp])[] = [
  ['DateStyle', 'ISO', /^ISO\b/i],
  ['IntervalStyle', 'postgres', /^postgres$/i],
  ['standard_conforming_strings', 'on', /^on$/i],
  ['client_encoding', 'UTF8', /^utf-?8$|^unicode$/i],
];

/** Whether values would be read or stored wrongly when `setting` has this value. */
export function misreads(setting: string, value: string): boolean {
  return valueFormats.some(([name, , fits]) => name === setting && !fits.test(value));
}

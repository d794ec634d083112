/** It waits in turns of the event loop, which take no virtual time: it does not even end. */
export const endless =
  'opens a session of its own for work that is begun while the session around it is being committed';

/** Cases of the conformance suite that need more than the simulation has, by what that is. docs/simulation.md lists them, too. */
export const notSimulated: Readonly<Record<string, readonly string[]>> = {
  'turns of the event loop that take time': [endless],
};

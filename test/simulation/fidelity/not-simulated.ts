/** It waits in turns of the event loop, which take no virtual time: it does not even end. */
export const endless =
  'opens a session of its own for work that is begun while the session around it is being committed';

/** Cases of the conformance suite that need more than the simulation has, by what that is. docs/simulation.md lists them, too. */
export const notSimulated: Readonly<Record<string, readonly string[]>> = {
  LISTEN: [
    'delivers the messages of a session after its commit, in order, after a first gap',
    'delivers the message of a session that does nothing else',
    'delivers nothing of a session that is rolled back, nor of a part that is undone',
    'delivers a message once when its unit is run again',
    'refuses a message that cannot be sent before anything is sent, and the session goes on',
    'passes what the schema returns to the handler, and messages that do not fit the schema to onInvalid',
    'calls a handler outside of every session, and goes on after it fails',
    'still listens after a session whose connection was not lent again',
    'delivers nothing more to a subscription that is closed, and goes on for the others of its channel',
    'delivers nothing more once it is drained, and waits for handlers that run',
  ],
  COPY: [
    'inserts in bulk what is given, whatever is in it',
    'inserts in bulk all or nothing, and says which row was refused',
  ],
  'settings of a session': [
    'gives a session the isolation and the mode it asks for',
    'sets the variables of a session for all of its statements, and for no statement of another',
    'keeps the variables of a session through a part that was undone, and drops them with a session that failed',
    'sets the variables again for each attempt of a unit',
    'sets the variables before a stream, and drops them with it',
    'lets a session inside another have the same variables, and refuses others by their names',
    'gives a separate session the variables of the session around it, unless it has its own',
    'gives work that outlives its session the variables of that session',
    'calls the function for the variables of a session on demand at its first use, and opens no session when it throws',
    'names a role that the server refuses, and stores nothing',
    'refuses em.setSessionContext and em.fork({ session }), naming the option of the session',
    'does not answer one tenant from what MikroORM caches for another',
    'lends a connection that knows nothing of the session before',
    'refuses to let a read-only session write, since no caller waits for its COMMIT',
    'lends a connection as it was when it was fresh, whatever the session before has set, and however it ended',
  ],
  'other expressions and statements': [
    'streams rows, and goes on after a stream that was left early',
    'ends a wait for a lock that lasts longer than the session allows',
    'ends a session when a hidden statement has ended its transaction, and says what is stored',
    'refuses several statements in one text, and runs none of them',
  ],
  'turns of the event loop that take time': [endless],
};

import { CreateNotes } from './create-notes.js';

/** In the order in which they run. Never change one that has been released, and never rename it. */
export const migrations = { CreateNotes };

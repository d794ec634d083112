// What a process that simulates imports first: from here on its time, chance and network are simulated.
import { SimulatedSocket } from './network/simulated-socket.ts';
import { replaceGlobals } from './world/globals.ts';

replaceGlobals(SimulatedSocket);

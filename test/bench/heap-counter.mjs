// Imported into each service before anything else (`node --import`), and answers the bench over IPC: what has been
// allocated in the heap since the last question, and what of it has survived young collections. The same for all services, and without effect until it is asked.
import { GCProfiler, getHeapStatistics } from 'node:v8';

let profiler;
let usedAtStart = 0;

process.on('message', question => {
  if (question === 'count-allocations') {
    profiler = new GCProfiler();
    profiler.start();
    usedAtStart = getHeapStatistics().used_heap_size;
    process.send?.({ isCounting: true });
  }
  if (question === 'allocations') process.send?.(counted());
});
// A listener on the channel keeps a process alive; the service decides when it ends.
process.channel?.unref();

/** Between two collections the heap grows by what is allocated. */
function counted() {
  const usedAtEnd = getHeapStatistics().used_heap_size;
  let allocated = 0;
  let promoted = 0;
  let used = usedAtStart;
  for (const { gcType, beforeGC, afterGC } of profiler.stop().statistics) {
    allocated += beforeGC.heapStatistics.usedHeapSize - used;
    used = afterGC.heapStatistics.usedHeapSize;
    if (gcType === 'Scavenge') promoted += oldBytes(afterGC) - oldBytes(beforeGC);
  }
  return { allocatedBytes: allocated + usedAtEnd - used, promotedBytes: promoted };
}

function oldBytes({ heapSpaceStatistics }) {
  return heapSpaceStatistics.find(({ spaceName }) => spaceName === 'old_space').spaceUsedSize;
}

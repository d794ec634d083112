/** A series as promtool takes it: a value each minute. */
type Series = readonly [series: string, values: string];

/** What fires an alert, and what is close to it and does not. */
export interface AlertCase {
  readonly fires: readonly Series[];
  readonly quiet: readonly Series[];
}

const at = 'job="orders",instance="orders-1"';
const pool = `${at},db_client_connection_pool_name="database"`;
const requests = (status: string) =>
  `http_server_request_duration_seconds_count{${at},http_route="/orders",http_response_status_code="${status}"}`;
const bucket = (le: string) => `http_server_request_duration_seconds_bucket{${at},http_route="/orders",le="${le}"}`;
const ended = (outcome: string) => `db_client_transactions_total{${pool},keelson_session_outcome="${outcome}"}`;
const breaker = (state: string) => `resilience_circuit_breaker_state{${at},target="database",state="${state}"}`;
const always = (value: number) => `${value}x60`;
const growing = (each: number) => `0+${each}x60`;

/** By the name of the alert; each is looked at after 40 minutes. */
export const alertCases: Readonly<Record<string, AlertCase>> = {
  ServiceDown: { fires: [[`up{${at}}`, always(0)]], quiet: [[`up{${at}}`, always(1)]] },
  ServiceNotReady: {
    fires: [[`health_status{${at},status="fail"}`, always(1)]],
    quiet: [
      [`health_status{${at},status="fail"}`, always(0)],
      [`health_status{${at},status="warn"}`, always(1)],
    ],
  },
  RequestsFail: {
    fires: [
      [requests('200'), growing(90)],
      [requests('500'), growing(10)],
    ],
    quiet: [
      [requests('200'), growing(97)],
      [requests('500'), growing(3)],
      [requests('404'), growing(50)],
    ],
  },
  RequestsSlow: {
    fires: [
      [bucket('2.5'), growing(90)],
      [bucket('5'), growing(100)],
      [bucket('+Inf'), growing(100)],
    ],
    quiet: [
      [bucket('1'), growing(995)],
      [bucket('2.5'), growing(1_000)],
      [bucket('+Inf'), growing(1_000)],
    ],
  },
  ServiceOverloaded: {
    fires: [[`http_server_overload_refusals_total{${at},reason="event_loop"}`, growing(1)]],
    quiet: [
      [`http_server_overload_refusals_total{${at},reason="event_loop"}`, always(5)],
      [`http_server_refused_requests_total{${at},reason="HTTP_STOPPING"}`, growing(1)],
    ],
  },
  DatabaseDown: {
    fires: [[`db_client_state{${pool},state="error"}`, always(1)]],
    quiet: [
      [`db_client_state{${pool},state="error"}`, always(0)],
      [`db_client_state{${pool},state="connected"}`, always(1)],
    ],
  },
  BreakerOpen: {
    fires: [
      [breaker('closed'), always(0)],
      [breaker('half-open'), always(1)],
    ],
    quiet: [
      [breaker('closed'), always(1)],
      [breaker('open'), always(0)],
    ],
  },
  RetriesMany: {
    fires: [
      [`resilience_calls_total{${at},target="database"}`, growing(100)],
      [`resilience_retries_total{${at},target="database",reason="ECONNREFUSED"}`, growing(8)],
      [`resilience_retries_total{${at},target="database",reason="other"}`, growing(8)],
    ],
    quiet: [
      [`resilience_calls_total{${at},target="database"}`, growing(100)],
      [`resilience_retries_total{${at},target="database",reason="ECONNREFUSED"}`, growing(5)],
    ],
  },
  CommitsUnknown: {
    fires: [[ended('unknown'), '0x35 1x30']],
    quiet: [
      [ended('unknown'), always(0)],
      [ended('rolled_back'), growing(10)],
    ],
  },
  PoolExhausted: {
    fires: [[`db_client_connection_pending_requests{${pool}}`, always(3)]],
    quiet: [[`db_client_connection_pending_requests{${pool}}`, '3 0 3 0 3 0 3 0 '.repeat(7).trim()]],
  },
  PoolTimeouts: {
    fires: [
      [`db_client_connection_timeouts_total{${pool}}`, '0x38 2x30'],
      [`db_client_connection_refusals_total{${pool}}`, always(0)],
    ],
    quiet: [
      [`db_client_connection_timeouts_total{${pool}}`, always(7)],
      [`db_client_connection_refusals_total{${pool}}`, always(0)],
    ],
  },
  ConnectionsLeaked: {
    fires: [[`db_client_connection_leaks_total{${pool}}`, '0x35 1x30']],
    quiet: [[`db_client_connection_leaks_total{${pool}}`, always(1)]],
  },
  ReplicaBehind: {
    fires: [[`db_client_replica_lag_seconds{${pool},server_address="replica:5432"}`, always(31)]],
    quiet: [[`db_client_replica_lag_seconds{${pool},server_address="replica:5432"}`, always(29)]],
  },
  EventLoopLate: {
    fires: [[`nodejs_eventloop_delay_p99_seconds{${at}}`, always(0.3)]],
    quiet: [[`nodejs_eventloop_delay_p99_seconds{${at}}`, '0.3x37 0.01x30']],
  },
  HeapNearLimit: {
    fires: [
      [`v8js_memory_heap_used_bytes{${at},v8js_heap_space_name="old_space"}`, always(80)],
      [`v8js_memory_heap_used_bytes{${at},v8js_heap_space_name="large_object_space"}`, always(15)],
      [`v8js_memory_heap_max_bytes{${at}}`, always(100)],
    ],
    quiet: [
      [`v8js_memory_heap_used_bytes{${at},v8js_heap_space_name="old_space"}`, always(80)],
      [`v8js_memory_heap_used_bytes{${at},v8js_heap_space_name="new_space"}`, always(15)],
      [`v8js_memory_heap_max_bytes{${at}}`, always(100)],
    ],
  },
  JobFails: {
    fires: [[`job_duration_seconds_count{${at},job_name="orders.settle",outcome="failure"}`, growing(1)]],
    quiet: [[`job_duration_seconds_count{${at},job_name="orders.settle",outcome="success"}`, growing(1)]],
  },
  CredentialExpires: {
    fires: [[`credentials_remaining_seconds{${at},credentials_source="credentials"}`, always(200)]],
    quiet: [[`credentials_remaining_seconds{${at},credentials_source="credentials"}`, always(400)]],
  },
  SeriesOverflow: {
    fires: [[`shop_orders_total{${at},otel_metric_overflow="true"}`, growing(1)]],
    quiet: [[`shop_orders_total{${at}}`, growing(1)]],
  },
};

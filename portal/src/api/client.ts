// SPDX-License-Identifier: Apache-2.0
// The one way to the gateway: cookie session, problem details (RFC 9457) as errors, no retry here.

export interface ProblemEntry {
  pointer: string;
  code: string;
  message: string;
  systems?: string[];
}

export interface ProblemBody {
  type?: string;
  title?: string;
  detail?: string;
  status: number;
  instance?: string;
  errors?: ProblemEntry[];
}

/** What the gateway refused, in the words it gave. */
export class Problem extends Error {
  constructor(readonly body: ProblemBody, readonly retryAfter?: number) {
    super(body.detail ?? body.title ?? `HTTP ${body.status}`);
    this.name = 'Problem';
  }

  get status(): number { return this.body.status; }
  get errors(): ProblemEntry[] { return this.body.errors ?? []; }
}

/** There was no answer at all: no signal, or the gateway is away. */
export class Offline extends Error {
  constructor() {
    super('offline');
    this.name = 'Offline';
  }
}

export interface Answer<T> {
  data: T;
  status: number;
  etag: string | null;
  headers: Headers;
}

export interface CallOptions {
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  type?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/* A connection that says nothing for so long is none: what was typed waits, and the person goes on. */
const PATIENCE_MS = 30000;

let language = 'zh-CN';
let onSignedOut: () => void = () => undefined;
let onForged: () => Promise<void> = () => Promise.resolve();
let csrf = '';
let lastError = '';

/** What the gateway calls the last request that it refused. */
export const errorId = (): string => lastError;

export function setLanguage(tag: string): void { language = tag; }
export function setCsrf(token: string): void { csrf = token; }
export function whenSignedOut(run: () => void): void { onSignedOut = run; }
export function whenForged(run: () => Promise<void>): void { onForged = run; }

function address(path: string, query: CallOptions['query']): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== '') q.set(name, String(value));
  }
  const text = q.toString();
  return `/api/v1${path}${text ? `?${text}` : ''}`;
}

async function problemOf(response: Response): Promise<Problem> {
  const after = Number(response.headers.get('Retry-After') ?? '');
  const body = await response.json().catch(() => ({})) as Partial<ProblemBody>;
  return new Problem({ ...body, status: response.status }, Number.isFinite(after) && after > 0 ? after : undefined);
}

export function requestHeaders(method: string): Record<string, string> {
  const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': language };
  if (method !== 'GET' && csrf) headers['X-Yimen-CSRF'] = csrf;
  return headers;
}

/** What an answer means that did not come by fetch. */
export function answered<T>(status: number, text: string, requestId: string | null): T {
  let body: unknown = {};
  try { body = JSON.parse(text); } catch { /* an answer of somebody between us and the gateway */ }
  if (status >= 200 && status < 300) return body as T;
  if (status === 401) onSignedOut();
  else lastError = requestId ?? lastError;
  throw new Problem({ ...(body as Partial<ProblemBody>), status });
}

async function refused(response: Response): Promise<Problem> {
  const problem = await problemOf(response);
  if (problem.status === 401) onSignedOut();
  else lastError = response.headers.get('X-Request-Id') ?? lastError;
  return problem;
}

/* One request, read to its end, or given up after a while. */
async function once<T>(method: string, path: string, options: CallOptions, read: (r: Response) => Promise<T>): Promise<T> {
  const headers: Record<string, string> = { ...requestHeaders(method), ...options.headers };
  if (options.body !== undefined) headers['Content-Type'] = options.type ?? 'application/json';
  const patience = new AbortController();
  const giveUp = (): void => patience.abort();
  const timer = window.setTimeout(giveUp, PATIENCE_MS);
  options.signal?.addEventListener('abort', giveUp);
  try {
    const response = await fetch(address(path, options.query), {
      method,
      headers,
      credentials: 'same-origin',
      cache: 'no-store',
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal: patience.signal,
    });
    if (!response.ok) throw await refused(response);
    return await read(response);
  } catch (error) {
    if (error instanceof Problem || options.signal?.aborted) throw error;
    throw new Offline();
  } finally {
    window.clearTimeout(timer);
    options.signal?.removeEventListener('abort', giveUp);
  }
}

async function respond<T>(method: string, path: string, options: CallOptions, read: (r: Response) => Promise<T>): Promise<T> {
  const before = csrf;
  try {
    return await once(method, path, options, read);
  } catch (error) {
    if (method === 'GET' || !(error instanceof Problem) || error.status !== 403) throw error;
    await onForged();
    if (csrf === before) throw error;
    return once(method, path, options, read);
  }
}

export const call = <T>(method: string, path: string, options: CallOptions = {}): Promise<Answer<T>> =>
  respond(method, path, options, async (response) => {
    const data = response.status === 204 ? undefined : await response.json();
    return { data: data as T, status: response.status, etag: response.headers.get('ETag'), headers: response.headers };
  });

/** What is no JSON, as it came: text() would eat a byte-order mark. */
export const getFile = (path: string, query: CallOptions['query'], accept: string): Promise<Blob> =>
  respond('GET', path, { query, headers: { Accept: accept } }, (r) => r.blob());

/** The cursor in the `next` of a page. */
export const cursorOf = (next: string | null | undefined): string | undefined =>
  (next ? new URLSearchParams(next.split('?')[1] ?? '').get('cursor') ?? undefined : undefined);

export const get = <T>(path: string, query?: CallOptions['query'], signal?: AbortSignal): Promise<T> =>
  call<T>('GET', path, { query, signal }).then((a) => a.data);

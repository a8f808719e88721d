/** Memory that one query may take by default, in bytes, within the engine's whole. */
export const CHDB_QUERY_MEMORY = 256 * 2 ** 20;

/**
 * Command-line arguments for the embedded engine. Its defaults are a server's: caches of 5 GiB, nine tenths of the machine's memory.
 * Server-wide ones count only on the first Session opened.
 */
export function chdbArguments(maxMemory: number): readonly string[] {
  const settings: Readonly<Record<string, string | number>> = {
    session_timezone: 'UTC',
    max_server_memory_usage: maxMemory,
    // Marks of the parts in use; 5 GiB by default.
    mark_cache_size: 16 * 2 ** 20,
    index_mark_cache_size: 2 ** 20,
    primary_index_cache_size: 16 * 2 ** 20,
    uncompressed_cache_size: 0,
    mmap_cache_size: 128,
    background_pool_size: 2,
    // Idle threads kept for the next statement; 1000 by default, and each has its own memory.
    max_thread_pool_free_size: 8,
  };
  return Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
}

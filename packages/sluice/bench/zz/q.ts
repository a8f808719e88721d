import { Session } from 'chdb';
import { rmSync } from 'node:fs';
import { decodeNative } from '../../src/batch/native.ts';
rmSync('/tmp/qq',{recursive:true,force:true});
const s = new Session('/tmp/qq', {connectionArgs:['--session_timezone=UTC','--max_server_memory_usage=800000000']});
s.query('CREATE DATABASE p');
s.query("CREATE TABLE p.samples (metric_id UInt64 CODEC(ZSTD(1)), series_id UInt64 CODEC(ZSTD(1)), time DateTime64(3,'UTC') CODEC(Delta, ZSTD(1)), value Float64 CODEC(Delta, ZSTD(1))) ENGINE=MergeTree PARTITION BY toYYYYMMDD(time,'UTC') ORDER BY (metric_id, series_id, time)");
// 200 metrics x 5 series, 240 samples, 6 parts
for (let part=0;part<6;part++) s.query(`INSERT INTO p.samples SELECT cityHash64(number%200) , cityHash64(number%1000, 1), fromUnixTimestamp64Milli(toInt64(1795200000000 + (intDiv(number,1000)+${part*40})*15000)), number*1.1 FROM numbers(40000) SETTINGS max_insert_threads=1,max_threads=1`);
if (process.argv[2]) s.query('OPTIMIZE TABLE p.samples FINAL');
const ids = s.query('SELECT DISTINCT series_id FROM p.samples','TSV').text?.() ?? String(s.query('SELECT DISTINCT series_id FROM p.samples','TSV'));
const mids = String(s.query('SELECT DISTINCT metric_id FROM p.samples','TSV'));
const list = ids.trim().split('\n').join(','); const mlist = mids.trim().split('\n').join(',');
const where = `WHERE metric_id IN (${mlist}) AND series_id IN (${list}) AND time >= fromUnixTimestamp64Milli(toInt64(1795200000000)) AND time <= fromUnixTimestamp64Milli(toInt64(1795203600000))`;
const variants: [string,string][] = [
 ['ordered rio', `SELECT series_id, time, value FROM p.samples ${where} ORDER BY metric_id, series_id, time SETTINGS optimize_read_in_order=1`],
 ['ordered rio t1', `SELECT series_id, time, value FROM p.samples ${where} ORDER BY metric_id, series_id, time SETTINGS optimize_read_in_order=1, max_threads=1`],
 ['ordered no rio', `SELECT series_id, time, value FROM p.samples ${where} ORDER BY metric_id, series_id, time SETTINGS optimize_read_in_order=0`],
 ['ordered no rio t1', `SELECT series_id, time, value FROM p.samples ${where} ORDER BY metric_id, series_id, time SETTINGS optimize_read_in_order=0, max_threads=1`],
 ['unordered', `SELECT series_id, time, value FROM p.samples ${where}`],
 ['unordered t1', `SELECT series_id, time, value FROM p.samples ${where} SETTINGS max_threads=1`],
 ['unordered t1 noprewhere', `SELECT series_id, time, value FROM p.samples ${where} SETTINGS max_threads=1, optimize_move_to_prewhere=0`],
 ['unordered only time t1', `SELECT series_id, time, value FROM p.samples WHERE metric_id IN (${mlist}) AND time >= fromUnixTimestamp64Milli(toInt64(1795200000000)) AND time <= fromUnixTimestamp64Milli(toInt64(1795203600000)) SETTINGS max_threads=1`],
 ['no where t1', `SELECT series_id, time, value FROM p.samples SETTINGS max_threads=1`],
];
for (const [name, q] of variants) {
  const t:number[]=[]; const c0=process.cpuUsage(); let rows=0, bytes=0, sync=0;
  for (let i=0;i<25;i++){ const b=performance.now(); const pr = s.queryAsync(q,{format:'Native'}); sync+=performance.now()-b; const r = await pr; const buf=r.bytes(); rows=0; bytes=buf.length; for(let at=0;at<buf.length;){const bl=decodeNative(buf,at)!; rows+=bl.rows; at=bl.end;} t.push(performance.now()-b);} 
  const c=process.cpuUsage(c0); t.sort((a,b)=>a-b);
  console.log(name.padEnd(26),'p50',t[12].toFixed(1),'min',t[0].toFixed(1),'cpu',((c.user+c.system)/25000).toFixed(1),'rows',rows,'sync',(sync/25).toFixed(1));
}
for (const [name, q] of variants.slice(0,6)) {
  const t:number[]=[]; const c0=process.cpuUsage(); let rows=0, sync=0;
  for (let i=0;i<15;i++){ const b=performance.now(); const st = s.queryStream(q,{format:'Native'}); rows=0; const it=st[Symbol.asyncIterator](); const p=it.next(); sync+=performance.now()-b; let n=await p; while(!n.done){ rows+=n.value.raw().length; n=await it.next(); } t.push(performance.now()-b);} 
  const c=process.cpuUsage(c0); t.sort((a,b)=>a-b);
  console.log('STREAM',name.padEnd(26),'p50',t[7].toFixed(1),'min',t[0].toFixed(1),'cpu',((c.user+c.system)/15000).toFixed(1),'bytes',rows,'sync',(sync/15).toFixed(1));
}
s.close();

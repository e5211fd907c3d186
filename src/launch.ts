/**
 * Starts the program that is bundled beside it, with the code that V8 made of it the last time the same command ran: reading that takes a
 * third of the time that compiling takes. `NODE_DISABLE_COMPILE_CACHE=1` does without, as for Node's own cache,
 * which Node 20 lacks. The bundle is CommonJS: that starts sooner. V8 is told to wait longer before it optimizes a function: most commands
 * end before that pays, and a fifth to a third of their processor time went into it.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { cacheFolder } from './files/cache.ts';

/** File name of the program, with a hash of what it holds; the bundler fills it in. */
declare const PROGRAM: string;
type Program = (require: NodeJS.Require, path: string) => void;

const path = join(dirname(__filename), PROGRAM);
const folder = cacheFolder('code');
const command = /^[a-z]+$/.exec(process.argv[2] ?? '')?.[0] ?? 'prunec';
/** Commands run different functions, and only those that ran have code. */
const ours = `${command}-${process.version}-${process.arch}-`;
const file = join(folder, `${ours}${PROGRAM}.bin`);
const isWanted = process.env['NODE_DISABLE_COMPILE_CACHE'] === undefined;

/** Since Node 22 V8 counts calls, before it counted what they execute. */
const calls = ['--invocation-count-for-turbofan=20000', '--invocation-count-for-maglev=1500'];
/** By V8's major version, of Node 20, 22 and 24: their counters differ. A name that V8 does not know would be told to the user. */
const patience: Readonly<Record<string, readonly string[]>> = {
	11: ['--interrupt-budget=1000000'],
	12: calls,
	13: calls,
};
for (const flag of patience[process.versions.v8.split('.')[0] ?? ''] ?? []) setFlagsFromString(flag);

const cachedData = isWanted ? known() : undefined;
const script = new Script(readFileSync(path, 'latin1'), {
	filename: path,
	...(cachedData && { cachedData }),
});
if (isWanted && (cachedData === undefined || script.cachedDataRejected === true))
	process.once('exit', remember);
(script.runInThisContext() as Program)(createRequire(path), path);

/** Code is run as it is: only a file that nobody else can have written counts. */
function known(): Buffer | undefined {
	try {
		const { uid, mode } = statSync(file);
		const isOwn = process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0);
		return isOwn ? readFileSync(file) : undefined;
	} catch {
		return undefined;
	}
}

/** Code of other versions goes. Where nothing can be written, the next start takes as long as this one. */
function remember(): void {
	try {
		mkdirSync(folder, { recursive: true, mode: 0o700 });
		for (const name of readdirSync(folder))
			if (name.startsWith(ours)) rmSync(join(folder, name), { force: true });
		const own = `${file}.${process.pid}`;
		writeFileSync(own, script.createCachedData(), { mode: 0o600 });
		renameSync(own, file);
	} catch {
		// It is a cache.
	}
}

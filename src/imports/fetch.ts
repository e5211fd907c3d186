/** What fetching a package or repository gives, and how other programs are called for it. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault, type Diagnostic } from '../diagnostic.ts';
import { type FilePath } from '../ir/imports/address.ts';
import { fetchFailed } from '../messages/import.ts';

/** A package or repository at one version, whose files can be read. */
export type Package = {
	readonly pin: { readonly version: string } | { readonly commit: string };
	readonly read: (path: FilePath, address: string) => Promise<Uint8Array | Diagnostic>;
};

export type Permissions = {
	/** Repositories on this machine, `git+file:`. */
	readonly allowFile: boolean;
	/** Hosts that may have private addresses. */
	readonly allowHosts: readonly string[];
};

/** What of the environment other programs see: where they are, how they reach the network, whose settings they read. */
const passed = [
	...['PATH', 'HOME', 'USERPROFILE', 'APPDATA', 'SystemRoot', 'TMPDIR', 'TEMP', 'LANG'],
	...[
		'HTTPS_PROXY',
		'https_proxy',
		'NO_PROXY',
		'no_proxy',
		'SSL_CERT_FILE',
		'SSL_CERT_DIR',
		'NODE_EXTRA_CA_CERTS',
	],
];
const longestRun = 120_000;
const mostOutput = 64 * 2 ** 20;

/** Runs a program without a shell; gives its output. Throws `Fault` with what it said when it fails. */
export async function run(
	program: string,
	args: readonly string[],
	{
		address,
		folder,
		env,
		hint,
	}: {
		readonly address: string;
		readonly folder: string;
		readonly env: Record<string, string>;
		readonly hint?: string;
	},
): Promise<Buffer> {
	const kept = passed.flatMap((name) =>
		process.env[name] === undefined ? [] : [[name, process.env[name]] as const],
	);
	return new Promise((resolve, reject) => {
		execFile(
			program,
			args,
			{
				cwd: folder,
				env: { ...Object.fromEntries(kept), ...env },
				encoding: 'buffer',
				timeout: longestRun,
				maxBuffer: mostOutput,
			},
			(problem, stdout, stderr) => {
				if (problem === null) resolve(stdout);
				else reject(new Fault(fetchFailed({ address, cause: said(problem, stderr.toString()), hint })));
			},
		);
	});
}

/** The last line of what a program said that tells something. */
function said(
	problem: Error & { readonly code?: unknown; readonly killed?: boolean },
	stderr: string,
): string {
	if (problem.code === 'ENOENT') return 'the program for it is not installed';
	if (problem.killed === true) return `no answer in ${longestRun / 1000} seconds`;
	const lines = stderr
		.split('\n')
		.map((line) => line.trim())
		.filter((line) => /^(?:fatal|error|remote|npm (?:error|ERR!))/.test(line));
	return (
		lines.find((line) => line.startsWith('fatal')) ??
		lines.find((line) => !/code E?\w+$/.test(line)) ??
		problem.message
	);
}

/** Work in a new folder that is gone afterwards. */
export async function inNewFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
	const folder = await mkdtemp(join(tmpdir(), 'prunec-fetch-'));
	try {
		return await work(folder);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}

/** SHA-256 of large files beside other work. */
import { Worker } from 'node:worker_threads';

/** Runs as a script of its own, so that it is the same in a checkout, in the library and in the bundle. */
const program = `
const { createHash } = require('node:crypto');
const { closeSync, openSync, readSync } = require('node:fs');
const { parentPort, workerData } = require('node:worker_threads');
const hash = createHash('sha256');
const buffer = new Uint8Array(1 << 20);
const fd = openSync(workerData, 'r');
for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer)) hash.update(buffer.subarray(0, count));
closeSync(fd);
parentPort.postMessage(hash.digest('hex'));
`;

/** The hash of one file, read from when it is first asked for. */
export class Hashing {
	private readonly path: string;
	private worker: Worker | undefined;
	private result: Promise<string> | undefined;

	constructor(path: string) {
		this.path = path;
	}

	/** In hexadecimal. Rejects when the file cannot be read any more. */
	digest(): Promise<string> {
		this.result ??= this.start();
		return this.result;
	}

	stop(): void {
		void this.worker?.terminate();
	}

	private start(): Promise<string> {
		const worker = new Worker(program, { eval: true, workerData: this.path });
		this.worker = worker;
		const result = new Promise<string>((resolve, reject) => {
			worker.once('message', resolve).once('error', reject);
			worker.once('exit', () => {
				reject(new Error(`the hash of ${this.path} was not finished`));
			});
		});
		// Whoever waits for it hears of a failure; nobody may.
		result.catch(() => undefined);
		return result;
	}
}

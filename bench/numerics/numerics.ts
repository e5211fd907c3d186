/**
 * Linear algebra beside numpy and scipy, in one run: ratios of wall and of processor time. Needs an interpreter with both.
 *
 *     node --import tsx bench/numerics/numerics.ts [repeats] [python3]
 *
 * `bert layer rank 128` is one of the twelve layers of BERT-base, six matrices, truncated exactly in double precision;
 * numpy decomposes them wholly in single precision.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { productsOf } from '../../src/backends/ort/products.ts';
import { stream } from '../../src/data/generate.ts';
import { matrix, type Matrix } from '../../src/ir/matrix.ts';
import { cholesky, solve } from '../../src/numerics/cholesky.ts';
import { truncate } from '../../src/numerics/svd.ts';

type Time = { readonly name: string; readonly wall: number; readonly cpu: number };

const repeats = Number(process.argv[2] ?? 5);
const products = productsOf(2);
const next = stream(1);
const random = (rows: number, cols: number): Matrix =>
	matrix(
		rows,
		cols,
		Float64Array.from({ length: rows * cols }, () => next() + next() + next() - 1.5),
	);
const [wide, square, right] = [random(768, 3072), random(768, 768), random(3072, 768)];
const half = random(3072, 4096);
const definite = await products.multiply(half, half, 'nt');
const factor = (await cholesky(definite, products))!;

const tasks: Readonly<Record<string, () => Promise<unknown>>> = {
	'svd 768x3072': () => truncate(wide, 128, products),
	'cholesky 3072': () => cholesky(definite, products),
	'solve 3072x768': () => solve(factor, right, products),
	'bert layer rank 128': async () => {
		for (let at = 0; at < 4; at++) await truncate(square, 128, products);
		for (let at = 0; at < 2; at++) await truncate(wide, 128, products);
	},
};

async function timed(name: string, task: () => Promise<unknown>): Promise<Time> {
	await task();
	const times: Omit<Time, 'name'>[] = [];
	for (let at = 0; at < repeats; at++) {
		const [start, used] = [performance.now(), process.cpuUsage()];
		await task();
		const { user, system } = process.cpuUsage(used);
		times.push({ wall: performance.now() - start, cpu: (user + system) / 1000 });
	}
	return { name, ...times.sort((a, b) => a.wall - b.wall)[repeats >> 1]! };
}

const peer = fileURLToPath(new URL('peer.py', import.meta.url));
const output = execFileSync(process.argv[3] ?? 'python3', [peer, String(repeats)], {
	encoding: 'utf8',
	env: { ...process.env, OPENBLAS_NUM_THREADS: '2' },
});
const theirs = output
	.trim()
	.split('\n')
	.map((line) => JSON.parse(line) as Time);
for (const [name, task] of Object.entries(tasks)) {
	const [own, other] = [await timed(name, task), theirs.find((one) => one.name === name)!];
	const ratio = (a: number, b: number): string => (a / b).toFixed(2);
	console.log(
		`${name.padEnd(20)} wall ${own.wall.toFixed(0)} ms, ${ratio(own.wall, other.wall)} x numpy; processor ${own.cpu.toFixed(0)} ms, ${ratio(own.cpu, other.cpu)} x`,
	);
}

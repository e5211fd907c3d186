/** Families: what walks find. A family's units are classes of positions that go together, wherever they lie. */
import { elementCount } from '../graph/graph.ts';
import { elementType } from '../graph/dtype.ts';
import { operandOf, type Net, type NetNode, type NetTensor } from './net.ts';
import { Walk, type Choices, type Permit, type Seed } from './walk.ts';
import { type Term } from './row.ts';

export type Family = {
	readonly seed: Seed;
	/** How many units it has; unit u is the class u of every map below, -1 is no unit. */
	readonly units: number;
	readonly axes: ReadonlyMap<NetTensor, readonly (Int32Array | undefined)[]>;
	readonly letters: ReadonlyMap<NetNode, readonly (Int32Array | undefined)[]>;
	/** Positions of the seed that cannot go. */
	readonly pinned: number;
	/** Why, the most frequent reason first. */
	readonly reasons: readonly string[];
};

/** Branches a seed may take; never reached on real models (axes.md: 24 was enough for 80). */
const branchLimit = 24;

/** Every family that has a weight in it, from the letters on weights' axes. Deterministic: node order, then letter order. */
export function findFamilies(net: Net, permit: Permit = {}): Family[] {
	return new Finder(net, permit).run();
}

/** The families seeded at one letter: one for each way to read the composite axes it meets. */
export function familiesAt(seed: Seed, permit: Permit, covered?: Uint8Array): Family[] {
	return walksAt(seed, covered, permit).map(toFamily);
}

function walksAt(seed: Seed, covered: Uint8Array | undefined, permit: Permit): Walk[] {
	const pending: Choices[] = [new Map()];
	const found: Walk[] = [];
	for (let tries = 0; tries < branchLimit; tries++) {
		const choices = pending.shift();
		if (choices === undefined) break;
		const walk = new Walk(seed, covered, permit, choices).run();
		const { fork } = walk;
		if (fork === undefined) found.push(walk);
		else for (let way = 0; way < fork.ways; way++) pending.push(new Map([...choices, [fork.key, way]]));
	}
	return found;
}

class Finder {
	private readonly queue: Seed[] = [];
	private readonly asked = new Set<string>();
	private readonly coverage = new Map<NetNode, (Uint8Array | undefined)[]>();
	private readonly net: Net;
	private readonly permit: Permit;

	constructor(net: Net, permit: Permit) {
		this.net = net;
		this.permit = permit;
	}

	run(): Family[] {
		for (const node of this.net.nodes) {
			for (const term of node.row?.terms ?? []) if (isWeightAxis(node, term)) this.askAll(node, term);
		}
		const families: Family[] = [];
		for (let seed = this.queue.shift(); seed !== undefined; seed = this.queue.shift()) {
			const covered = this.coverage.get(seed.node)?.[seed.letter];
			if (covered?.every(Boolean)) continue;
			for (const walk of walksAt(seed, covered, this.permit)) {
				this.cover(walk);
				this.askSiblings(walk);
				families.push(toFamily(walk));
			}
			this.coverSeed(seed);
		}
		return families;
	}

	private askAll(node: NetNode, term: Term): void {
		for (const part of term.parts) this.ask(node, part.letter);
	}

	/** Queues a letter unless it is done, of one coordinate, or lies whole on a dynamic axis. */
	private ask(node: NetNode, letter: number): void {
		const key = `${node.index}/${letter}`;
		if (this.asked.has(key) || (node.row?.letters[letter]?.size ?? 0) < 2) return;
		this.asked.add(key);
		const dynamic = node.row?.terms.some(
			(term) =>
				term.parts.length === 1 &&
				term.parts[0]?.letter === letter &&
				term.parts[0].index === null &&
				operandOf(node, term.side, term.slot)?.dynamic[term.axis],
		);
		if (!dynamic) this.queue.push({ node, letter });
	}

	private cover(walk: Walk): void {
		for (const [node, { letters }] of walk.states) {
			const known = this.coverage.get(node) ?? [];
			this.coverage.set(node, known);
			letters.forEach((labels, letter) => {
				if (labels === undefined) return;
				const covered = (known[letter] ??= new Uint8Array(labels.length));
				labels.forEach((label, at) => {
					if (label !== 0) covered[at] = 1;
				});
			});
		}
	}

	private coverSeed({ node, letter }: Seed): void {
		const known = this.coverage.get(node) ?? [];
		this.coverage.set(node, known);
		known[letter] = new Uint8Array(node.row?.letters[letter]?.size ?? 0).fill(1);
	}

	/** On a composite axis that a walk read by one letter, the others are structures too: heads, then head widths. */
	private askSiblings(walk: Walk): void {
		for (const [node, { letters }] of walk.states) {
			for (const term of node.row?.terms ?? []) {
				if (term.parts.length < 2 || !term.parts.some((part) => letters[part.letter] !== undefined)) continue;
				for (const part of term.parts) if (letters[part.letter] === undefined) this.ask(node, part.letter);
			}
		}
	}
}

function isWeightAxis(node: NetNode, term: Term): boolean {
	if (term.side === 'out') return false;
	const constant = operandOf(node, 'in', term.slot)?.constant;
	if (constant === undefined || elementCount(constant.dims) < 2) return false;
	const type = elementType(constant.type);
	return (
		type !== undefined &&
		type.kind !== 'string' &&
		type.kind !== 'bool' &&
		(constant.dims[term.axis] ?? 1) > 1
	);
}

/** Classes numbered in the order of the seed's coordinates; a class that owns a whole axis is no unit, since nothing would be left. */
function toFamily(walk: Walk): Family {
	for (const axes of walk.axes.values())
		axes.forEach((labels) => {
			if (labels !== undefined) pinWhole(walk, labels);
		});
	const classes = new Map<number, number>();
	const seeds = walk.states.get(walk.seed.node)?.letters[walk.seed.letter] ?? new Int32Array(0);
	for (const label of seeds) {
		const root = walk.find(label);
		if (root > 1 && !classes.has(root)) classes.set(root, classes.size);
	}
	const toClasses = (labels: Int32Array | undefined): Int32Array | undefined =>
		labels?.map((label) => classes.get(walk.find(label)) ?? -1);
	const seeded = seeds.filter((label) => label !== 0);
	return {
		seed: walk.seed,
		units: classes.size,
		axes: new Map([...walk.axes].map(([tensor, axes]) => [tensor, axes.map(toClasses)])),
		letters: new Map([...walk.states].map(([node, state]) => [node, state.letters.map(toClasses)])),
		pinned: seeded.filter((label) => walk.find(label) === 1).length,
		reasons: [...walk.pins].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([why]) => why),
	};
}

function pinWhole(walk: Walk, labels: Int32Array): void {
	const [first = 0] = labels;
	if (first < 2) return;
	const root = walk.find(first);
	if (labels.every((label) => walk.find(label) === root))
		walk.pin(root, 'an axis would lose its only group of positions');
}

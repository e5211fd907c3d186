/** Families: what walks find. A family's units are classes of positions that go together, wherever they lie. */
import { elementCount } from '../graph/graph.ts';
import { elementType } from '../graph/dtype.ts';
import { operandOf, type Net, type NetNode, type NetTensor } from './net.ts';
import { passes, type Permit } from './barriers.ts';
import { Labels, NONE, PIN, type Classes } from './classes.ts';
import { Coverage } from './coverage.ts';
import { isPicked, Walk, type Course, type Fork, type Seed } from './walk.ts';
import { indexBy, type Term } from './row.ts';

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

/** Walks of nets: they serve every permit, and every stage asks. */
const walked = new WeakMap<Net, readonly Walk[]>();

/** Every family that has a weight in it, from the letters on weights' axes. Deterministic: node order, then letter order. */
export function findFamilies(net: Net, permit: Permit = {}): Family[] {
	const walks = walked.get(net) ?? new Finder(net).run();
	walked.set(net, walks);
	return walks.map((walk) => familyOf(walk, permit));
}

/** The families seeded at one letter: one for each way to read the composite axes it meets. */
export function familiesAt(seed: Seed, permit: Permit, covered?: Uint8Array): Family[] {
	return walksAt(seed, covered).map((walk) => familyOf(walk, permit));
}

function walksAt(seed: Seed, covered: Uint8Array | undefined): Walk[] {
	const pending: Course[] = [{ choices: new Map() }];
	const found: Walk[] = [];
	for (let tries = 0; tries < branchLimit; tries++) {
		const course = pending.shift();
		if (course === undefined) break;
		const walk = new Walk(seed, covered, course).run();
		if (walk.fork === undefined) found.push(walk);
		else pending.push(...coursesOf(walk.fork, course, seed.node.row?.letters[seed.letter]?.size ?? 0));
	}
	return found;
}

/** One course for each letter of a composite axis: coordinates of the seed that meet in one of the letter's go together. */
function coursesOf({ key, ways, labels }: Fork, { choices, groups }: Course, size: number): Course[] {
	return ways.map(({ index }, way) => {
		const first = new Map<number, number>();
		const joined = indexBy(size, (at) => at);
		for (let position = 0; position < labels.length; position++) {
			const at = (labels[position] ?? NONE) - 2;
			const coordinate = index === null ? position : (index[position] ?? -1);
			if (at < 0 || coordinate < 0) continue;
			const other = first.get(coordinate) ?? at;
			first.set(coordinate, other);
			joined[at] = other;
		}
		return {
			choices: new Map([...choices, [key, way]]),
			groups: groups?.map((at) => joined[at] ?? at) ?? joined,
		};
	});
}

class Finder {
	private readonly queue: Seed[] = [];
	private readonly asked = new Set<string>();
	private readonly coverage = new Coverage();
	private readonly net: Net;

	constructor(net: Net) {
		this.net = net;
	}

	run(): Walk[] {
		for (const node of this.net.nodes) {
			for (const term of node.row?.terms ?? []) if (isWeightAxis(node, term)) this.askAll(node, term);
		}
		const found: Walk[] = [];
		for (let seed = this.queue.shift(); seed !== undefined; seed = this.queue.shift()) {
			const covered = this.coverage.at(seed);
			if (covered?.isWhole) continue;
			for (const walk of walksAt(seed, covered?.at)) {
				this.coverage.addWalk(walk);
				this.askSiblings(walk);
				found.push(walk);
			}
			this.coverage.addSeed(seed);
		}
		return found;
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

/** Whether a weight is one number everywhere, made in the graph. */
export function isFilled({ fixed, producer }: NetTensor): boolean {
	return fixed && producer?.node.op === 'ConstantOfShape';
}

function isWeightAxis(node: NetNode, term: Term): boolean {
	if (term.side === 'out') return false;
	const operand = operandOf(node, 'in', term.slot);
	if (operand === undefined || elementCount(operand.sizes) < 2 || (operand.sizes[term.axis] ?? 1) < 2)
		return false;
	if (isFilled(operand)) return true;
	const kind = elementType(operand.constant?.type ?? 0)?.kind;
	return kind !== undefined && kind !== 'string' && kind !== 'bool';
}

/** Families of walks, by which of the walk's barriers are in the way. */
const made = new WeakMap<Walk, Map<string, Family>>();

function familyOf(walk: Walk, permit: Permit): Family {
	const stopping = [...walk.barriers.values()].map((barrier) => !passes(barrier, permit));
	const key = stopping.map(Number).join('');
	const known = made.get(walk) ?? new Map<string, Family>();
	made.set(walk, known);
	const family = known.get(key) ?? toFamily(walk, stopping);
	known.set(key, family);
	return family;
}

/** Classes numbered in the order of the seed's coordinates; a class that owns a whole axis is no unit, since nothing would be left. */
function toFamily(walk: Walk, stopping: readonly boolean[]): Family {
	const classes = walk.classes.copy();
	[...walk.barriers.values()].forEach(({ labels, why }, at) => {
		if (stopping[at]) classes.pinAll(labels, why);
	});
	const arrays = new Set<Int32Array>();
	for (const [tensor, axes] of walk.axes)
		for (const labels of axes)
			if (labels !== undefined && !(labels.at.length === 1 && isPicked(tensor))) arrays.add(labels.at);
	for (const labels of arrays) pinWhole(classes, labels);
	const seeds = walk.states.get(walk.seed.node)?.letters[walk.seed.letter] ?? new Labels(0);
	const { units, unitOf } = numbered(classes, seeds);
	const known = new Map<Int32Array, Int32Array>();
	const toUnits = (labels: Labels | undefined): Int32Array | undefined => {
		if (labels === undefined) return undefined;
		const units = known.get(labels.at) ?? unitsAt(labels.at, unitOf);
		known.set(labels.at, units);
		return units;
	};
	const seeded = seeds.at.filter((label) => label !== NONE);
	return {
		seed: walk.seed,
		units,
		axes: new Map([...walk.axes].map(([tensor, axes]) => [tensor, axes.map(toUnits)])),
		letters: new Map([...walk.states].map(([node, state]) => [node, state.letters.map(toUnits)])),
		pinned: seeded.filter((label) => classes.find(label) === PIN).length,
		reasons: classes.reasons(),
	};
}

/** The unit of every label, -1 for none. */
function numbered(classes: Classes, { at: seeds }: Labels): { units: number; unitOf: Int32Array } {
	const unitOf = new Int32Array(classes.count).fill(-1);
	let units = 0;
	for (const label of seeds) {
		const root = classes.find(label);
		if (root > PIN && unitOf[root] === -1) unitOf[root] = units++;
	}
	for (let label = 0; label < classes.count; label++) unitOf[label] = unitOf[classes.find(label)] ?? -1;
	return { units, unitOf };
}

function unitsAt(labels: Int32Array, unitOf: Int32Array): Int32Array {
	const units = new Int32Array(labels.length);
	for (let at = 0; at < units.length; at++) units[at] = unitOf[labels[at] ?? NONE] ?? -1;
	return units;
}

function pinWhole(classes: Classes, labels: Int32Array): void {
	const [first = NONE] = labels;
	if (first <= PIN) return;
	const root = classes.find(first);
	for (const label of labels) if (classes.find(label) !== root) return;
	classes.pin(root, 'an axis would lose its only group of positions');
}

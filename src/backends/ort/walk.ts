/** Gram matrices of models that change further and further behind: each run starts where the one before ended. */
import { present } from '../../diagnostic.ts';
import { type Example } from '../../data/sample.ts';
import { type ValueInfo, type ValueName } from '../../ir/graph/graph.ts';
import { stretchOf } from '../../ir/graph/stretch.ts';
import { type Walk } from '../../ir/lab.ts';
import { measureChunk } from './grams.ts';
import { type Feeds } from './session.ts';

/** Bytes of values that are kept between runs; with more, the next one starts at the inputs. */
export const memory = 2 ** 31;

/** @param given what is known of each example from the beginning to the end; absent: nothing. */
export function walkOver(examples: readonly Example[], threads: number, given?: readonly Feeds[]): Walk {
	const first = given ?? examples.map((): Feeds => new Map());
	let known = first;
	return {
		grams: async (model, requests) => {
			const wanted = requests.flatMap(({ value, against }) => [value, ...(against ? [against.value] : [])]);
			const infos = infosOf(known);
			const { model: stretch, carried } = stretchOf(model, [...new Set(wanted)], infos);
			const inputs = stretch.graph.inputs.map(({ name }) => name);
			const fed = examples.map(({ feeds, mask }, at) => ({
				feeds: only(new Map([...feeds, ...(known[at] ?? [])]), inputs),
				...(mask && { mask }),
			}));
			const fresh = carried.filter((name) => !infos.has(name));
			const found = await measureChunk(stretch, requests, {
				examples: fed,
				threads,
				carried: fresh,
			});
			const next = known.map(
				(one, at) => new Map([...(first[at] ?? []), ...only(one, carried), ...(found.values[at] ?? [])]),
			);
			known = fits(next) ? next : first;
			return found.grams;
		},
	};
}

/** Values that are known of every example, as inputs. */
function infosOf(known: readonly Feeds[]): Map<ValueName, ValueInfo> {
	const everywhere = [...(known[0] ?? [])].filter(([name]) => known.every((one) => one.has(name)));
	return new Map(
		everywhere.map(([name, { type, dims }]) => [name, { name, type, dims: dims.map(() => null) }]),
	);
}

function only(values: Feeds, names: readonly ValueName[]): Feeds {
	return new Map(
		names.flatMap((name) => (values.has(name) ? [[name, present(values.get(name), name)]] : [])),
	);
}

function fits(kept: readonly Feeds[]): boolean {
	let bytes = 0;
	for (const feeds of kept) for (const { data } of feeds.values()) bytes += data.length * 4;
	return bytes <= memory;
}

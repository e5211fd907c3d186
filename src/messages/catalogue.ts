/** Every diagnostic that prunec has, for `explain`, `list codes` and the reference. */
import { type Severity } from '../diagnostic.ts';
import * as agreement from './agreement.ts';
import * as check from './check.ts';
import * as choosing from './choosing.ts';
import * as cli from './cli.ts';
import * as data from './data.ts';
import * as declarations from './declarations.ts';
import * as exact from './exact.ts';
import * as exit from './exit.ts';
import * as factorize from './factorize.ts';
import * as folder from './folder.ts';
import * as goals from './goals.ts';
import * as imports from './import.ts';
import * as layers from './layers.ts';
import * as model from './model.ts';
import * as parse from './parse.ts';
import * as plan from './plan.ts';
import * as quality from './quality.ts';
import * as positions from './positions.ts';
import * as project from './project.ts';
import * as quantities from './quantities.ts';
import * as run from './run.ts';
import * as tokens from './tokens.ts';
import * as write from './write.ts';

export type Entry = { readonly code: string; readonly severity: Severity; readonly explain: string };

function entriesOf(module: Readonly<Record<string, unknown>>): Entry[] {
	return Object.values(module).filter(
		(value): value is Entry => typeof value === 'function' && 'code' in value && 'explain' in value,
	);
}

export const catalogue: readonly Entry[] = [
	parse,
	check,
	agreement,
	declarations,
	quantities,
	imports,
	project,
	model,
	plan,
	choosing,
	exact,
	exit,
	factorize,
	folder,
	goals,
	layers,
	positions,
	tokens,
	run,
	data,
	quality,
	write,
	cli,
].flatMap(entriesOf);

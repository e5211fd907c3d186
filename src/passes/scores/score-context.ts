/** What a metric may look at. */
import { type Net } from '../../ir/axes/net.ts';
import { type Lab } from '../../ir/lab.ts';
import { type Grams } from './grams.ts';
import { type UnitGroup } from '../units/units.ts';

export type ScoreContext = {
	readonly net: Net;
	readonly seed: number;
	readonly lab?: Lab;
	/** Statistics of all groups that are ranked together. */
	readonly grams?: Grams;
	/** All groups that are ranked together. */
	readonly groups?: readonly UnitGroup[];
};
